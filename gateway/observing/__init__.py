"""What the gateway tells of itself: figures, log lines and spans, about nobody."""
