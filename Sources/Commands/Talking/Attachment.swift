internal import Crypto
internal import JSON
internal import Posix

/// A file that goes with a prompt, as a part of it.
struct Attachment {
    /// Bytes that one may have: as base64 it must fit into a line of the daemon's.
    static let most = 11 << 20

    /// What it is called, without where it lies.
    let name: String
    let bytes: Int
    private let part: [UInt8]

    /// Reads a file, or all of standard input for `-`.
    init(_ path: String, input: () throws(CommandError) -> [UInt8]) throws(CommandError) {
        let data: [UInt8]
        if path == "-" {
            data = try input()
        } else {
            do throws(PosixError) {
                data = try Files.read(Files.absolute(path), limit: Attachment.most)
            } catch {
                guard error.errno == PosixError.tooBig else {
                    throw CommandError(.failure, "cannot read '\(path)': \(error.reason)")
                }
                throw Attachment.tooLarge(path)
            }
        }
        if data.count > Attachment.most { throw Attachment.tooLarge(path) }
        if data.isEmpty { throw CommandError(.failure, "'\(path)' is empty; there is nothing to attach") }
        let name = path == "-" ? "input" : String(path.split(separator: "/").last ?? "file")
        guard let kind = ContentKind(data) else {
            throw CommandError(
                .failure,
                "'\(path)' is no image (PNG, JPEG, GIF, WebP), PDF, audio (WAV, MP3, Ogg, FLAC) or UTF-8 text; convert it to one of these"
            )
        }
        self.name = name
        bytes = data.count
        part = JSONWriter.object { Attachment.write(data, kind, name, to: &$0) }
    }

    private static func tooLarge(_ path: String) -> CommandError {
        CommandError(
            .failure,
            "'\(path)' has more than \(most >> 20) MiB, more than an attachment may have; attach less of it")
    }

    private static func write(
        _ data: [UInt8], _ kind: ContentKind, _ name: String, to writer: inout JSONWriter
    ) {
        switch kind {
        case .image(let type), .audio(let type):
            if case .image = kind { writer.member("type", "image") } else { writer.member("type", "audio") }
            writer.member("mimeType", type)
            writer.member("data", Base64.encoded(data))
        case .pdf:
            writer.member("type", "resource")
            writer.member("resource") {
                $0.member("uri", "file:///\(escaped(name))")
                $0.member("mimeType", "application/pdf")
                $0.member("blob", Base64.encoded(data))
            }
        case .text(let text):
            writer.member("type", "resource")
            writer.member("resource") {
                $0.member("uri", "file:///\(escaped(name))")
                $0.member("mimeType", "text/plain")
                $0.member("text", text)
            }
        }
    }

    /// A name as it may stand in an address (RFC 3986, 3.3).
    private static func escaped(_ name: String) -> String {
        name.utf8.map { byte in
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || [0x2D, 0x2E, 0x5F, 0x7E].contains(byte)
            let hex = String(byte, radix: 16, uppercase: true)
            return isPlain ? String(Unicode.Scalar(byte)) : "%" + (hex.count < 2 ? "0" : "") + hex
        }.joined()
    }

    /// Writes it as an element of a prompt.
    func write(to writer: inout JSONWriter) { writer.raw(part) }
}

/// What bytes are, by how they begin.
enum ContentKind: Equatable {
    case image(String), audio(String), pdf, text(String)

    /// Nil for what no model takes.
    init?(_ data: [UInt8]) {
        func begins(_ text: String, at offset: Int = 0) -> Bool {
            data.dropFirst(offset).starts(with: text.utf8)
        }
        if data.starts(with: [0x89, 0x50, 0x4E, 0x47]) {
            self = .image("image/png")
        } else if data.starts(with: [0xFF, 0xD8, 0xFF]) {
            self = .image("image/jpeg")
        } else if begins("GIF87a") || begins("GIF89a") {
            self = .image("image/gif")
        } else if begins("RIFF"), begins("WEBP", at: 8) {
            self = .image("image/webp")
        } else if begins("RIFF"), begins("WAVE", at: 8) {
            self = .audio("audio/wav")
        } else if begins("ID3") && data.count > 3 && data[3] < 0x10
            || data.count > 1 && data[0] == 0xFF && data[1] & 0xE6 == 0xE2
        {
            // A tag, which has its version behind its name, or a frame of MPEG's layer III (ISO 11172-3, 2.4.1.3).
            self = .audio("audio/mpeg")
        } else if begins("OggS") {
            self = .audio("audio/ogg")
        } else if begins("fLaC") {
            self = .audio("audio/flac")
        } else if begins("%PDF-") {
            self = .pdf
        } else if !data.contains(0), let text = String(validating: data, as: UTF8.self) {
            self = .text(text)
        } else {
            return nil
        }
    }
}
