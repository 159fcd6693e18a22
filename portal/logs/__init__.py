"""What the processes write: the form of each line, tracebacks without people's data, lines told after the commit."""

from portal.logs.lines import call_this_process as call_this_process
from portal.logs.lines import configure as configure
