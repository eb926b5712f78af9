"""What is kept on disk: records, the plan, the lock and the artifacts. Imports nothing heavy."""
