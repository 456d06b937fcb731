"""The kinds of entries of the journal. The numbers are in the file and never change."""

from __future__ import annotations

from enum import IntEnum


class EntryKind(IntEnum):
    """What happened; `entries.py` has the data of each kind.

    Codes below 100 are `InstanceEvent` of workers-sdk (workflows-shared/src/instance.ts); the
    others are ours, for what production does not log.
    """

    WORKFLOW_QUEUED = 0
    WORKFLOW_START = 1
    WORKFLOW_SUCCESS = 2
    WORKFLOW_FAILURE = 3
    WORKFLOW_TERMINATED = 4
    STEP_START = 5
    STEP_SUCCESS = 6
    STEP_FAILURE = 7
    SLEEP_START = 8
    SLEEP_COMPLETE = 9
    ATTEMPT_START = 10
    ATTEMPT_SUCCESS = 11
    ATTEMPT_FAILURE = 12
    WAIT_START = 14
    WAIT_COMPLETE = 15
    WAIT_TIMED_OUT = 16
    ROLLBACK_START = 17
    ROLLBACK_STEP_START = 18
    ROLLBACK_ATTEMPT_START = 19
    ROLLBACK_ATTEMPT_SUCCESS = 20
    ROLLBACK_ATTEMPT_FAILURE = 21
    ROLLBACK_STEP_SUCCESS = 22
    ROLLBACK_STEP_FAILURE = 23
    ROLLBACK_COMPLETE = 24
    ROLLBACK_FAILED = 25
    WORKFLOW_RUNNING = 100
    WORKFLOW_WAITING = 101
    WORKFLOW_PAUSING = 102
    WORKFLOW_PAUSED = 103
    WORKFLOW_RESUMED = 104
    ATTEMPT_INTERRUPTED = 105
    EVENT_RECEIVED = 106
    WORKFLOW_RESTARTED = 107  # from a step; a complete restart deletes all entries
    TIMER_SKIPPED = 108  # a user skipped a step's deadline
    RETRY_DELAYED = 115  # a step's delay function has said how long to wait
    CODE_CHANGED = 109  # a run starts on another generation than the one before it
    WORKFLOW_DIVERGED = 110  # the code does not fit what was done
    STEP_RENAMED = 111  # `step` is the new key
    STEP_FOUND = 112  # a step that was set aside is asked for again


# The entries with which steps begin.
STEP_STARTS = (EntryKind.STEP_START, EntryKind.SLEEP_START, EntryKind.WAIT_START)
