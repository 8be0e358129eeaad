internal import Conversation

extension Turn.Finish {
    /// The reason as a word: servers may put anything there.
    var boundedReason: String {
        let isWord = reason.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                || $0 == 0x5F
                || $0 == 0x2D || $0 == 0x2E
        }
        return isWord && (1...64).contains(reason.utf8.count) ? reason : "other"
    }
}
