"""The workflow binding: `env.MY_WORKFLOW`. Start reading at `workflow`."""

from bindings.workflows.workflow import WorkflowBinding as WorkflowBinding
