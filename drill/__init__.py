"""bin/drill: a deploy, practised. Every step runs real processes and fails when a promise of docs/operating.md is broken."""
