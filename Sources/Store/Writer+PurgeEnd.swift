internal import Archive
internal import Posix

extension Writer {
    /// Empties the log behind a purge and wipes some of what is free in the file; false where nothing of that is to be done now.
    ///
    /// Somebody who reads may hold it up; others that write do not.
    func endPurge(from start: UInt64, isBusy: Bool) throws(ArchiveError) -> Bool {
        if setbacks.waits(Writer.cutNumber, at: start) { return false }
        guard try database.purgePhase() == .checkpointing else {
            cleaning.begin()
            setbacks.succeeded(Writer.cutNumber)
            return false
        }
        // Looks that come one behind the other leave no moment without one; who begins when all is moved is in nobody's way.
        database.setPatience(milliseconds: Writer.cutPatience)
        let isCut = checkpoint(.truncate)
        database.setPatience(milliseconds: 0)
        guard isCut else {
            throw checkpointFailure
                ?? ArchiveError(
                    .busy, "empty the log behind a purge",
                    reason: "another program has been reading the database for long; close it")
        }
        // The cut may have waited for the disk for longer than a step takes.
        try cleanSome(until: Machine.monotonic() &+ BackgroundSlot.Pace.whileSomebodyWaits.step)
        setbacks.succeeded(Writer.cutNumber)
        slot.stepped(from: start, to: Machine.monotonic(), .whileSomebodyWaits, isBusy: isBusy)
        return true
    }

    /// Wipes some of what is free in the file, whose log was just emptied; the last of it ends the purge.
    private func cleanSome(until deadline: UInt64) throws(ArchiveError) {
        // Pages that are kept in memory are as they were before they were wiped.
        database.forgetPages()
        defer { database.forgetPages() }
        try setSynchronous(.normal)
        try database.run("BEGIN IMMEDIATE", doing: "begin")
        // What is wiped is no change of the database's; what fails here leaves the transaction, and the next BEGIN says so.
        defer { if !database.isAutocommit { try? database.run("ROLLBACK", doing: "end a step") } }
        let foreign = try database.integer("PRAGMA data_version", doing: "look for others that write")
        if foreign != dataVersion { cleaning.begin() }
        dataVersion = foreign
        if let log = database.log, try log.size() > 0 {
            cleaning.begin()
            throw ArchiveError(
                .busy, "wipe what a purge left",
                reason: "another program writes to the database; close it")
        }
        guard try cleaning.step(in: database, until: deadline) else { return }
        // Nobody else writes between the last page and this.
        try database.enter(.done)
        try database.run("COMMIT", doing: "commit")
        cleaning.begin()
        backups.beginAnew()
        hasPurged = true
    }
}
