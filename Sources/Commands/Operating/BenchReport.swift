internal import JSON
internal import Typesetting

/// What came of it, and how it is told.
struct BenchReport: JSONWritable {
    private struct Line {
        let name: String
        /// In microseconds, sorted.
        let samples: [Int]

        func at(_ share: Double) -> Int {
            samples.isEmpty ? 0 : samples[min(samples.count - 1, Int(share * Double(samples.count)))]
        }
    }

    private let seconds: Int
    private let clients: Int
    private let rate: Int?
    private var lines: [Line] = []
    private var first: Line?
    let errors: Int

    init(_ results: [BenchResult], seconds: Int, clients: Int, rate: Int?) {
        (self.seconds, self.clients, self.rate) = (seconds, clients, rate)
        errors = results.reduce(0) { $0 + $1.errors }
        for kind in BenchKind.allCases {
            let samples = results.flatMap { $0.samples[kind] ?? [] }.sorted()
            if !samples.isEmpty { lines.append(Line(name: kind.rawValue, samples: samples)) }
        }
        let first = results.flatMap(\.first).sorted()
        if !first.isEmpty { self.first = Line(name: "prompt, first chunk", samples: first) }
    }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("seconds", seconds)
            writer.member("clients", clients)
            writer.optional("rate", rate)
            writer.member("errors", errors)
            writer.key("kinds")
            writer.array { writer in
                for line in lines {
                    writer.object {
                        $0.member("kind", line.name)
                        $0.member("requests", line.samples.count)
                        $0.key("perSecond")
                        $0.double(Double(line.samples.count) / Double(seconds))
                        BenchReport.write(line, "microseconds", to: &$0)
                        if line.name == BenchKind.prompt.rawValue, let first {
                            BenchReport.write(first, "firstChunkMicroseconds", to: &$0)
                        }
                    }
                }
            }
        }
    }

    private static func write(_ line: Line, _ name: String, to writer: inout JSONWriter) {
        writer.member(name) {
            $0.member("p50", line.at(0.5))
            $0.member("p90", line.at(0.9))
            $0.member("p99", line.at(0.99))
            $0.member("max", line.samples.last ?? 0)
        }
    }

    func print(on console: Console) {
        var table = Table([
            Table.Column(title: "REQUEST", isFlexible: true), Table.Column(title: "A SECOND", isRight: true),
            Table.Column(title: "P50", isRight: true), Table.Column(title: "P90", isRight: true),
            Table.Column(title: "P99", isRight: true), Table.Column(title: "MAX", isRight: true),
        ])
        for line in lines + (first.map { [$0] } ?? []) {
            table.add([
                line.name, Times.number(line.samples.count / seconds), BenchReport.time(line.at(0.5)),
                BenchReport.time(line.at(0.9)), BenchReport.time(line.at(0.99)),
                BenchReport.time(line.samples.last ?? 0),
            ])
        }
        table.print(on: console)
        if console.isOutputTerminal { plot(on: console) }
        let wanted = rate.map { ", \(Times.number($0)) requests a second wanted" } ?? ""
        console.note(
            "\(Times.count(clients, "client")), \(seconds) s\(wanted), \(Times.count(errors, "error"))")
    }

    /// How many took how long, by doubling times.
    private func plot(on console: Console) {
        let all = lines.flatMap(\.samples)
        var counts: [Int: Int] = [:]
        for sample in all { counts[Int.bitWidth - max(1, sample).leadingZeroBitCount, default: 0] += 1 }
        guard let least = counts.keys.min(), let most = counts.keys.max() else { return }
        let highest = counts.values.max() ?? 1, room = max(10, min(60, console.columns - 20))
        console.print("")
        for step in least...most {
            let count = counts[step] ?? 0
            let bar = TextWidth.bar(eighths: count * room * 8 / highest)
            let name = TextWidth.padded("< \(BenchReport.time(1 << step))", to: 10)
            console.print("\(name) \(bar)\(count > 0 && bar.isEmpty ? "▏" : "")")
        }
    }

    private static func time(_ microseconds: Int) -> String {
        if microseconds < 1_000 { return "\(microseconds) µs" }
        let tenths = microseconds / 100
        if tenths < 1_000 { return "\(tenths / 10).\(tenths % 10) ms" }
        return microseconds < 1_000_000 ? "\(microseconds / 1_000) ms" : "\(microseconds / 1_000_000) s"
    }
}
