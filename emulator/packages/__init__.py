"""The Python packages of a project: what it declares, what is installed, how to install it."""
