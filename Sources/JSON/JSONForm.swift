/// JSON that is the same each time but for gaps of fixed widths: it is copied at once, and the gaps are written in place.
///
/// One copy costs about what a word of it costs that is written alone.
package struct JSONForm: Sendable {
    /// What a form is put together from.
    package enum Piece: Sendable, ExpressibleByStringLiteral {
        /// JSON as it stands.
        case text(String)
        /// So many bytes that are written each time.
        case gap(Int)

        package init(stringLiteral text: String) { self = .text(text) }
    }

    let bytes: [UInt8]
    /// Where each gap begins, of three at most.
    package let gaps: InlineArray<3, Int>

    /// Puts a form together; more than three gaps trap.
    package init(_ pieces: Piece...) {
        var bytes: [UInt8] = [], gaps = InlineArray<3, Int>(repeating: 0), count = 0
        for piece in pieces {
            switch piece {
            case .text(let text): bytes += text.utf8
            case .gap(let width):
                gaps[count] = bytes.count
                count += 1
                bytes += repeatElement(0x20, count: width)
            }
        }
        self.bytes = bytes
        self.gaps = gaps
    }
}

extension JSONForm {
    /// Writes a number of exactly so many digits at a place.
    @inline(__always)
    package static func write(
        _ number: Int, digits: Int, to bytes: inout MutableSpan<UInt8>, at place: Int
    ) {
        var rest = number.magnitude
        for digit in (place..<(place + digits)).reversed() {
            let tenth = rest / 10
            bytes[digit] = 0x30 + UInt8(truncatingIfNeeded: rest &- tenth &* 10)
            rest = tenth
        }
    }
}

extension JSONWriter {
    /// Writes a form that begins a value, up to where another value must follow; `fill` writes its gaps.
    @inline(__always)
    package mutating func begin(_ form: JSONForm, _ fill: (inout MutableSpan<UInt8>) -> Void) {
        comma()
        then(form, fill)
    }

    /// Writes a form without gaps that stands behind a value, up to where another one must follow.
    @inline(__always)
    package mutating func then(_ form: JSONForm) { append(form) { _ in } }

    /// Writes a form without gaps that ends with a value's end.
    @inline(__always)
    package mutating func end(_ form: JSONForm) {
        append(form) { _ in }
        ended()
    }

    /// Writes a form that stands behind a value, up to where another one must follow; `fill` writes its gaps.
    @inline(__always)
    package mutating func then(_ form: JSONForm, _ fill: (inout MutableSpan<UInt8>) -> Void) {
        append(form, fill)
    }

    /// Writes a form that ends with a value's end; `fill` writes its gaps.
    @inline(__always)
    package mutating func end(_ form: JSONForm, _ fill: (inout MutableSpan<UInt8>) -> Void) {
        append(form, fill)
        ended()
    }
}
