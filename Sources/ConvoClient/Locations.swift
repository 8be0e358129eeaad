// The rules of where files lie are in Posix/Locations.swift, shared with the daemon. Use that; delete this file.
