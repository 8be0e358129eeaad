import ContextWindow
import Conversation
import JSON
import TestSupport
import Testing

private let png = Part.image(mimeType: "image/png", data: "iVBO", uri: nil)
private let pdf = Part.resource(
    uri: "file:///a.pdf", text: nil,
    raw: Array(
        #"{"type":"resource","resource":{"uri":"file:///a.pdf","mimeType":"application/pdf","blob":"JVBE"}}"#
            .utf8))
private let binary = Part.resource(
    uri: "file:///a.bin", text: nil,
    raw: Array(
        #"{"type":"resource","resource":{"uri":"file:///a.bin","mimeType":"application/octet-stream","blob":"AAAA"}}"#
            .utf8))

private func window(_ drafts: [(Message.Role, [Part])], system: String? = nil) throws -> Window {
    let messages = drafts.enumerated().map { Histories.message($0 + 1, $1.0, $1.1) }
    return try Window.cut(
        History(messages: messages), system: system, policy: WindowPolicy(), budget: 100_000)
}

private func rules(_ results: MediaRules.Results, pdf: Bool, inAnswers: Bool = false) -> DialectRules {
    var rules = DialectRules.openAI
    rules.media = MediaRules(
        results: results, sounds: .some(["audio/wav"]), inAnswers: inAnswers, takesPDF: pdf)
    return rules
}

private func call(_ name: String, _ id: String) -> Part {
    .toolCall(Part.ToolCall(id: id, name: name, arguments: Array("{}".utf8)))
}

private func result(_ id: String, _ parts: [Part]) -> Part {
    .toolResult(Part.ToolResult(callID: id, content: Part.encode(parts), isError: false))
}

@Suite struct `Media in a request` {
    @Test func `cost what they go as, and in the question that is asked what they are`() {
        let large = Part.image(mimeType: "image/png", data: "iVBOiVBO", uri: nil)
        let message = Histories.message(1, .user, [.text("look"), large])
        var media = rules(.inside, pdf: true).media
        #expect(media.size(of: message)[.image] == 1)
        media.mostImageData = 7
        #expect(media.size(of: message)[.image] == 0 && media.size(of: message).tokens < 40)
        #expect(media.size(of: message, isNewest: true)[.image] == 1)
        media.mostImageData = nil
        media.images = []
        #expect(media.size(of: message, isNewest: true)[.image] == 0)
    }

    /// Anthropic refuses larger images for ever; of one that somebody asks about it says so itself.
    @Test func `of the history that are too large are named, and what the newest question has goes`() throws {
        let large = Part.image(mimeType: "image/png", data: "iVBOiVBO", uri: nil)
        let window = try window([
            (.user, [.text("look"), large, png]), (.assistant, [call("f", "c")]),
            (.tool, [result("c", [large, png])]), (.user, [.text("and this?"), large]),
        ])
        var limited = rules(.inside, pdf: true)
        limited.media.mostImageData = 7
        let gated = window.gated(for: limited)
        #expect(gated.messages[0].parts == [.text("look"), .text("[image image/png]"), png])
        #expect(gated.messages[2].parts == [result("c", [.text("[image image/png]"), png])])
        #expect(gated.messages[3].parts == [.text("and this?"), large])
        #expect(gated.mapped.parts == 2)
        #expect(window.gated(for: rules(.inside, pdf: true)).mapped.parts == 0)
        // What was refused is named, in results too.
        var refused = rules(.inside, pdf: true)
        refused.media.refused = Set(window.messages.dropLast().map(\.id))
        let told = window.gated(for: refused)
        #expect(told.messages[0].parts.dropFirst().allSatisfy { $0 == .text("[image image/png]") })
        #expect(
            told.messages[2].parts == [result("c", [.text("[image image/png]"), .text("[image image/png]")])])
        #expect(told.messages[3].parts == [.text("and this?"), large])
    }

    @Test func `stand where the dialect takes them, and are named where it does not (N037)`() throws {
        let window = try window([
            (.user, [.text("look"), png, .audio(mimeType: "audio/ogg", data: "AA"), pdf, binary]),
            (.assistant, [.text("here"), png]), (.user, [.text("and?")]),
        ])
        let gated = window.gated(for: rules(.inside, pdf: false))
        #expect(
            gated.messages[0].parts == [
                .text("look"), png, .text("[audio audio/ogg]"), .text("[document file:///a.pdf]"), binary,
            ])
        #expect(gated.messages[1].parts == [.text("here"), .text("[image image/png]")])
        #expect(gated.mapped.parts == 3 && gated.mapped.binaries == 1)

        let kind = window.gated(for: rules(.inside, pdf: true, inAnswers: true))
        #expect(
            kind.messages[0].parts[3]
                == .image(mimeType: "application/pdf", data: "JVBE", uri: "file:///a.pdf"))
        #expect(kind.messages[1].parts == [.text("here"), png] && kind.mapped.parts == 1)
    }

    @Test(
        arguments: [
            ("data:image/gif;base64,R0lG", Part.image(mimeType: "image/gif", data: "R0lG", uri: nil)),
            ("data:image/gif;x=y;base64,R0lG", Part.image(mimeType: "image/gif", data: "R0lG", uri: nil)),
            ("Data:image/gif;base64,R0lG", Part.image(mimeType: "image/gif", data: "R0lG", uri: nil)),
            (" DATA:image/gif;BASE64,R0lG", Part.image(mimeType: "image/gif", data: "R0lG", uri: nil)),
            (" DATA:image/svg+xml,<svg/>", Part.text("[image image/png]")),
            (
                "HTTPS://example.com/a.png",
                Part.image(mimeType: "image/png", data: nil, uri: "HTTPS://example.com/a.png")
            ),
            ("https://x/y.png", Part.image(mimeType: "image/png", data: nil, uri: "https://x/y.png")),
            ("file:///y.png", Part.text("[image image/png file:///y.png]")),
            ("data:image/svg+xml,<svg/>", Part.text("[image image/png]")),
        ])
    func `with an address alone are sent as bytes, as the address or as its name`(_ uri: String, _ sent: Part)
        throws
    {
        let image = Part.image(mimeType: "image/png", data: nil, uri: uri)
        #expect(try window([(.user, [image])]).outgoing(for: .openAI)[0].parts == [sent])
    }

    @Test(
        arguments: [
            ("data:image/gif;base64,+/+/", "image/gif", "+/+/"), ("+/\r\n+/\n", "image/png", "+/+/"),
            ("-_-_", "image/png", "+/+/"), ("QUI", "image/png", "QUI="),
            ("data:;base64,QQ%3D%3D", "image/png", "QQ=="), ("QUJD", "image/png", "QUJD"),
            ("!!!", nil, nil), ("QUJDR", nil, nil), ("data:image/png,x", nil, nil), ("Q=UI", nil, nil),
            ("", nil, nil),
        ] as [(String, String?, String?)])
    func `whose bytes are no strict base64 are mended, or a text stands for them, in messages and in results`(
        _ data: String, _ type: String?, _ sent: String?
    ) throws {
        let image = Part.image(mimeType: "image/png", data: data, uri: nil)
        let sound = Part.audio(mimeType: "audio/wav", data: data)
        let raw = JSONWriter.object {
            $0.member("type", "resource")
            $0.member("resource") {
                $0.member("uri", "file:///a")
                $0.member("mimeType", "image/png")
                $0.member("blob", data)
            }
        }
        let blob = Part.resource(uri: "file:///a", text: nil, raw: raw)
        let mended = type.map { Part.image(mimeType: $0, data: sent, uri: nil) } ?? .text("[image image/png]")
        let gated = try window([(.user, [image, sound, blob])]).gated(for: rules(.inside, pdf: true))
        let parts = gated.messages[0].parts
        #expect(parts[0] == mended)
        if case .audio(_, let bytes) = parts[1] { #expect(bytes == sent) } else { #expect(sent == nil) }
        if case .image(_, let bytes, _) = parts[2] { #expect(bytes == sent) } else { #expect(sent == nil) }

        let loop = try window([
            (.user, [.text("?")]), (.assistant, [call("look", "1")]), (.tool, [result("1", [image])]),
        ])
        let said = loop.gated(for: rules(.behind, pdf: true)).messages.flatMap(\.parts)
        #expect(said.contains(mended) == (sent != nil))
    }

    @Test(arguments: [MediaRules.Results.inside, .beside, .behind])
    func `of a tool's result stay in it, stand beside it or follow it`(_ place: MediaRules.Results) throws {
        let window = try window([
            (.user, [.text("u")]), (.assistant, [call("f", "c")]), (.tool, [result("c", [.text("r"), png])]),
            (.assistant, [.text("a")]), (.user, [.text("more")]),
        ])
        let out = window.outgoing(for: rules(place, pdf: false))
        let plain = result("c", [.text("r"), .text("[image image/png]")])
        switch place {
        case .inside: #expect(out[2].parts == [result("c", [.text("r"), png])] && out.count == 5)
        case .beside: #expect(out[2].parts == [plain, png] && out.count == 5)
        case .behind:
            #expect(out[2].parts == [plain] && out.count == 6)
            #expect(out[3].role == .user && out[3].parts.last == png && out[3].parts.count == 2)
        }
    }

    @Test func `of a failed call stand beside its result, since an error holds text alone`() throws {
        let failed = Part.toolResult(
            Part.ToolResult(callID: "c", content: Part.encode([.text("r"), png]), isError: true))
        let out = try window([
            (.user, [.text("u")]), (.assistant, [call("f", "c")]), (.tool, [failed]), (.user, [.text("v")]),
        ]).outgoing(for: rules(.inside, pdf: false))
        #expect(out[2].parts.count == 2 && out[2].parts[1] == png)
        guard case .toolResult(let result) = out[2].parts[0] else { return #expect(Bool(false)) }
        #expect(result.text == "r[image image/png]" && result.isError)
    }

    @Test(
        arguments: [
            (#"[{"type":"text","text":"r"},BLOB]"#, "r[binary resource file:///a.bin]"),
            (#"[BLOB]"#, "[binary resource file:///a.bin]"),
            (
                #"{"content":[{"type":"text","text":"r"},BLOB],"isError":false}"#,
                "r[binary resource file:///a.bin]"
            ),
            (#"[{"x":1},BLOB]"#, #"{"x":1}[binary resource file:///a.bin]"#),
            (#"{"x":[1]}"#, #"{"x":[1]}"#),
        ])
    func `that no model reads are named in a result, in every form of it`(_ content: String, _ words: String)
        throws
    {
        let bytes = String(repeating: "A", count: 200_000)
        let blob = #"{"type":"resource","resource":{"uri":"file:///a.bin","blob":"\#(bytes)"}}"#
        let result = Part.ToolResult(
            callID: "c", content: Array(content.replacing("BLOB", with: blob).utf8), isError: false)
        let out = try window([
            (.user, [.text("u")]), (.assistant, [call("f", "c")]), (.tool, [.toolResult(result)]),
            (.user, [.text("v")]),
        ]).outgoing(for: .openAI)
        guard case .toolResult(let sent) = out[2].parts[0] else { return #expect(Bool(false)) }
        #expect(sent.text == words)
        #expect(TokenEstimate.size(of: .toolResult(result)).tokens < 200)
    }

    @Test(arguments: ["image/svg+xml", "image/tiff", "image/bmp", ""])
    func `of a type that the dialect does not read are named`(_ type: String) throws {
        let image = Part.image(mimeType: type, data: "AAAA", uri: nil)
        #expect(try window([(.user, [image])]).outgoing(for: .openAI)[0].parts == [.text("[image \(type)]")])
        let other = Part.image(mimeType: "image/JPG", data: "AAAA", uri: nil)
        #expect(
            try window([(.user, [other])]).outgoing(for: .openAI)[0].parts == [
                .image(mimeType: "image/jpeg", data: "AAAA", uri: nil)
            ])
    }

    @Test func `cost what they cost a model, not a token a byte`() {
        let bytes = String(repeating: "A", count: 400_000)
        let image = Part.image(mimeType: "image/png", data: bytes, uri: nil)
        let file = Part.resource(
            uri: "file:///a.bin", text: nil,
            raw: Array(#"{"type":"resource","resource":{"uri":"file:///a.bin","blob":"\#(bytes)"}}"#.utf8))
        #expect(TokenEstimate.size(of: result("c", [.text("r"), image])).tokens < 1_700)
        #expect(TokenEstimate.size(of: image).tokens == TokenEstimate.perImage)
        #expect(TokenEstimate.size(of: file).tokens < 40)
    }
}

@Suite struct `Names in a request` {
    private let strict = NameRule(longest: 20, beginsWithLetter: true)

    @Test(
        arguments: [
            ("get_weather", "get_weather"), ("get.weather v2", "get_weather_v2"), ("2nd", "_2nd"),
            ("a name that is much too long", "a_name_that_i_098547"),
        ])
    func `are as like the tool's own as may be`(_ name: String, _ sent: String) {
        let map = NameMap([name], strict)
        #expect(map.sent(name) == sent && map.original(sent) == name)
    }

    /// The bytes of a request are to be those of the one before, whatever has come into it.
    @Test func `that are too long are the same whatever stands beside them`() {
        let long = "run_20261129_a_call_of_a_long_batch_number_012",
            other = "run_20261129_a_call_of_a_long_batch_number_013"
        let alone = NameMap([long], strict).sent(long), beside = NameMap([long, other, "a"], strict)
        #expect(beside.sent(long) == alone && beside.sent(other) != alone)
        #expect(alone.count <= 20)
    }

    @Test func `that would look alike get a hash, whichever came first`() {
        let names: Set = ["a.b", "a b", "a_b", "天气", "时间", ""]
        let map = NameMap(names, strict)
        let sent = names.map { map.sent($0) }
        #expect(Set(sent).count == names.count && sent.allSatisfy { strict.takes($0) })
        #expect(map.sent("a_b") == "a_b")
        #expect(map.sent("a.b").hasPrefix("a_b_") && map.sent("a.b").count == 10)
        #expect(map == NameMap(Set(names.sorted().reversed()), strict))
        for name in names { #expect(map.original(map.sent(name)) == name) }
    }

    @Test func `differ within a request and fit the rule, whatever they are`() {
        let random = SeededRandom()
        var source = random
        let signs = Array("abAB01_-. :/é天")
        for _ in 0..<2_000 {
            let names = Set(
                (0..<source.int(0...12)).map { _ in
                    String((0..<source.int(0...30)).map { _ in source.pick(signs) })
                })
            let rule = NameRule(
                longest: source.pick([9, 20, 64]), signs: source.pick(["", "-", "-."]),
                beginsWithLetter: source.oneIn(2))
            let map = NameMap(names, rule), sent = names.map { map.sent($0) }
            #expect(Set(sent).count == names.count, "\(random)")
            #expect(sent.allSatisfy { rule.takes($0) }, "\(random) \(sent)")
            for name in names {
                #expect(map.original(map.sent(name)) == name, "\(random)")
                if rule.takes(name) { #expect(map.sent(name) == name, "\(random)") }
            }
        }
    }

    @Test func `of calls and their IDs are mapped together with the results`() throws {
        let id = String(repeating: "x", count: 100)
        let window = try window([
            (.user, [.text("u")]), (.assistant, [call("get.weather v2", id)]),
            (.tool, [result(id, [.text("r")])]), (.user, [.text("more")]),
        ])
        let gated = window.gated(for: .openAI, tools: ["get_weather_v2"])
        guard case .toolCall(let call) = gated.messages[1].parts[0],
            case .toolResult(let result) = gated.messages[2].parts[0]
        else { return #expect(Bool(false), "\(gated.messages)") }
        #expect(call.name.hasPrefix("get_weather_v2_") && gated.names.original(call.name) == "get.weather v2")
        #expect(call.id.count == 40 && result.callID == call.id)
        #expect(gated.mapped.names == 1 && gated.mapped.ids == 1)
    }

    @Test func `of what is joined, said by another or closed is counted`() throws {
        let mixed = try window([
            (.system, [.text("first")]), (.user, [.text("u")]),
            (.assistant, [call("f", "1"), call("f", "2")]), (.tool, [result("1", [.text("r")])]),
            (.system, [.text("later")]), (.user, [.text("more")]),
        ])
        let mapped = mixed.gated(for: .openAI).mapped
        #expect(mapped.systems == 2 && mapped.closed == 1, "\(mapped)")
        #expect(try window([(.user, [.text("u")])]).gated(for: .openAI).mapped == Mapped())
    }
}

@Suite struct `Messages of the system` {
    @Test func `that are pinned go to who takes no answer at the beginning too, behind words of the user`()
        throws
    {
        for words in ["u a u a u a u", "u a:x t:x a u a u"] {
            let history = Histories.of(words).changing(2) { $0.isPinned = true }
            let window = try cut(history, maxTurns: 2)
            let gated = window.gated(for: DialectRules(isAlternating: true, startsWithUser: true))
            let first = gated.messages.first
            #expect(first?.role == .user && first?.parts == [.text(DialectRules.opening)], "\(words)")
            #expect(gated.messages.dropFirst().first?.parts == history[1].parts, "\(words)")
            #expect(gated.mapped.opened == 1)
            #expect(window.gated(for: .openAI).mapped.opened == 0)
        }
    }

    @Test func `at the beginning are one system prompt, later ones are the user's`() throws {
        let window = try window(
            [
                (.system, [.text("one")]), (.system, [.text("two")]), (.user, [.text("u")]),
                (.system, [.text("three")]), (.user, [.text("v")]),
            ], system: "zero")
        let gated = window.gated(for: .openAI)
        #expect(gated.system == "zero\n\none\n\ntwo")
        #expect(gated.messages.map(\.role) == [.user, .user, .user])
        var anywhere = DialectRules.openAI
        anywhere.takesSystemAnywhere = true
        #expect(window.gated(for: anywhere).messages.map(\.role) == [.user, .system, .user])
    }
}
