"""`python -m emulator` is `groundfog`."""

from emulator.cli.main import main

if __name__ == "__main__":
    main()
