"""Brain: answers questions with rag and memory, and passes on to the supervisor."""
