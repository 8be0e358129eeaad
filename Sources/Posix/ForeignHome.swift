/// Keeps root from leaving files of its own in another user's directories, where they would lock that user out.
package enum ForeignHome {
    /// What is wrong with the places that a process of root would use by the environment alone, as one sentence; nil when
    /// all is well.
    ///
    /// `paths` are those that nobody named.
    package static func problem(_ paths: [String], program: String) -> String? {
        guard Process.userID == 0 else { return nil }
        for path in paths {
            guard let (directory, owner) = Files.nearestDirectory(of: path), owner != 0 else { continue }
            let name = Process.userName(owner) ?? "#\(owner)"
            return
                "you are root, but the environment leads to '\(path)', and '\(directory)' belongs to user '\(name)': files of root there would lock that user out. Run 'sudo -u \(name) \(program) …', or 'sudo -H \(program) …' for root's own, without XDG_RUNTIME_DIR and the other XDG variables of that user"
        }
        return nil
    }
}
