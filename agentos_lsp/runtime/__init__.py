"""What happens next: the only floor with tasks and queues."""
