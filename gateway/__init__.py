"""The gateway: one data request, carried through ten steps or refused by name."""
