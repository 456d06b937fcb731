"""The workflow binding: `env.MY_WORKFLOW`. Start reading at `workflow`."""
