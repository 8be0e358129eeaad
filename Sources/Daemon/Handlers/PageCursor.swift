internal import Protocol

/// An opaque place in a list: a letter for the kind of list and a number.
enum PageCursor {
    static func text(_ kind: Character, _ number: Int64) -> String { "\(kind)\(String(number, radix: 36))" }

    /// What is said of a cursor that no list gave.
    static var unknown: WireError {
        .invalid("'cursor' is not one that this list gave; start again without it")
    }

    /// Reads a cursor of this kind, or says that it is none.
    static func number(_ kind: Character, _ text: String?) throws(WireError) -> Int64? {
        guard let text else { return nil }
        guard text.first == kind, let number = Int64(text.dropFirst(), radix: 36) else {
            throw unknown
        }
        return number
    }
}
