package import JSON

/// What is known of models, by kind of upstream; the first entry that is about a model counts.
package struct ModelTable: Sendable, Equatable {
    /// By the names of kinds.
    private var entries: [String: [KnownModel]] = [:]

    /// One that knows nothing.
    package init() {}

    /// Reads an object of arrays by kinds, as `schema/models.json` and `models` of the configuration are.
    package init(reading view: JSONView, kinds: [String]) throws(ModelTableError) {
        guard view.kind == .object else {
            throw ModelTableError("'models' must be an object of arrays by kinds")
        }
        for member in view.members {
            let path = "models.\(member.key.prefix(40))"
            guard kinds.contains(member.key) else {
                throw ModelTableError(
                    "'\(path)': there is no such kind; known: \(kinds.joined(separator: ", "))", member.value)
            }
            guard member.value.kind == .array else {
                throw ModelTableError("'\(path)' must be an array", member.value)
            }
            var found: [KnownModel] = []
            for (index, entry) in member.value.elements.enumerated() {
                found.append(try KnownModel(entry, "\(path)[\(index)]"))
            }
            entries[member.key] = found
        }
    }

    /// The entries of another behind its own.
    package func over(_ other: ModelTable) -> ModelTable {
        var both = self
        for (kind, more) in other.entries { both.entries[kind, default: []] += more }
        return both
    }

    /// What is known of a model that a server of a kind has; nil for nothing.
    package func model(_ name: String, kind: String, host: String) -> KnownModel? {
        let plain = name.hasPrefix("models/") ? String(name.dropFirst(7)) : name
        return entries[kind]?.first { ($0.hosts.isEmpty || $0.hosts.contains(host)) && $0.isAbout(plain) }
    }
}

/// What is wrong with a table of models.
package struct ModelTableError: Error, Sendable {
    /// A clause for a person that names the member.
    package let reason: String
    /// Where it stands; nil for the whole.
    package let place: JSONView?

    init(_ reason: String, _ place: JSONView? = nil) {
        self.reason = reason
        self.place = place
    }
}

extension KnownModel {
    fileprivate init(_ view: JSONView, _ path: String) throws(ModelTableError) {
        guard view.kind == .object, let match = view["match"]?.string, !match.isEmpty else {
            throw ModelTableError("'\(path)' must be an object with 'match', the name of a model", view)
        }
        self.init(match: match)
        for member in view.members {
            let value = member.value
            switch member.key {
            case "match", "since", "source":
                if value.string == nil {
                    throw ModelTableError("'\(path).\(member.key)' must be a text", value)
                }
            case "hosts":
                hosts = value.elements.compactMap(\.string)
                let areNames = hosts.allSatisfy { !$0.isEmpty && !$0.contains("/") && !$0.contains(":") }
                if hosts.isEmpty || hosts.count != value.count || !areNames {
                    throw ModelTableError(
                        "'\(path).hosts' must be an array of names of servers, as \"api.openai.com\"", value)
                }
            case "contextLength": contextLength = try KnownModel.tokens(member, path)
            case "maxOutput": maxOutput = try KnownModel.tokens(member, path)
            case "image" where value.isNull: image = nil
            case "image":
                guard let flag = value.bool else {
                    throw ModelTableError("'\(path).image' must be true or false", value)
                }
                image = flag
            case "prices": prices = try Prices(value, "\(path).prices")
            case "tiers": tiers = try KnownModel.tiers(value, path)
            default: throw ModelTableError("'\(path).\(member.key.prefix(40))' is not known", value)
            }
        }
    }

    private static func tokens(_ member: JSONMembers.Member, _ path: String) throws(ModelTableError) -> Int {
        guard let tokens = member.value.int, (256...100_000_000).contains(tokens) else {
            throw ModelTableError(
                "'\(path).\(member.key)' must be an integer from 256 to 100000000", member.value)
        }
        return tokens
    }

    private static func tiers(_ view: JSONView, _ path: String) throws(ModelTableError) -> [Tier] {
        guard view.kind == .array else { throw ModelTableError("'\(path).tiers' must be an array", view) }
        var found: [Tier] = []
        for (index, entry) in view.elements.enumerated() {
            guard let above = entry["above"]?.int, above >= 0, let prices = entry["prices"] else {
                throw ModelTableError(
                    "'\(path).tiers[\(index)]' must be an object with 'above' and 'prices'", entry)
            }
            found.append(Tier(above: above, prices: try Prices(prices, "\(path).tiers[\(index)].prices")))
        }
        return found.sorted { $0.above > $1.above }
    }
}

extension Prices {
    /// Reads an object of dollars for a million tokens.
    fileprivate init(_ view: JSONView, _ path: String) throws(ModelTableError) {
        func price(_ name: String) throws(ModelTableError) -> Double? {
            guard let value = view[name], !value.isNull else { return nil }
            guard let dollars = value.double, dollars >= 0, dollars <= 1_000_000 else {
                throw ModelTableError("'\(path).\(name)' must be dollars for a million tokens", value)
            }
            return dollars
        }
        let known = ["input", "output", "cachedInput", "cacheWrite5m", "cacheWrite1h"]
        if let stray = view.members.first(where: { !known.contains($0.key) }) {
            throw ModelTableError("'\(path).\(stray.key.prefix(40))' is not known", stray.value)
        }
        guard view.kind == .object, let input = try price("input"), let output = try price("output") else {
            throw ModelTableError(
                "'\(path)' must be an object with 'input' and 'output', dollars for a million tokens", view)
        }
        self.init(input: input, output: output, cachedInput: try price("cachedInput"))
        cacheWrite5m = try price("cacheWrite5m")
        cacheWrite1h = try price("cacheWrite1h")
    }
}
