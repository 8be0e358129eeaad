/// Gives files to a parser: `fuzz TARGET FILE…`; built with `-sanitize=fuzzer -D FUZZING` it is a fuzzer (libFuzzer's options
/// behind TARGET), which makes inputs of its own. `.ci/fuzz` builds it so and runs each target for a while.
internal import FuzzTargets
internal import Glibc
internal import Posix

#if FUZZING
    /// The loop of libFuzzer (https://llvm.org/docs/LibFuzzer.html#using-libfuzzer-as-a-library).
    @_silgen_name("LLVMFuzzerRunDriver")
    private func runDriver(
        _ argc: UnsafeMutablePointer<Int32>,
        _ argv: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
        _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
    ) -> Int32
#endif

@main
struct Fuzz {
    static func main() {
        let words = CommandLine.arguments.dropFirst()
        guard let name = words.first, let target = FuzzTarget(rawValue: name) else {
            print("usage: fuzz \(FuzzTarget.allCases.map(\.rawValue).joined(separator: "|")) FILE…")
            Process.exit(2)
        }
        #if FUZZING
            fuzz(target, words.dropFirst())
        #else
            replay(target, words.dropFirst())
        #endif
    }

    #if FUZZING
        nonisolated(unsafe) private static var target = FuzzTarget.json

        private static func fuzz(_ target: FuzzTarget, _ words: ArraySlice<String>) {
            unsafe Self.target = target
            var count = Int32(words.count + 1)
            var arguments: [UnsafeMutablePointer<CChar>?] = unsafe (["fuzz"] + words).map {
                unsafe strdup($0)
            }
            unsafe arguments.append(nil)
            let code = unsafe arguments.withUnsafeMutableBufferPointer { buffer in
                guard var base = buffer.baseAddress else { return Int32(1) }
                return unsafe runDriver(&count, &base) { bytes, count in
                    unsafe Fuzz.target.take(Array(UnsafeBufferPointer(start: bytes, count: count)))
                    return 0
                }
            }
            Process.exit(code)
        }
    #else
        private static func replay(_ target: FuzzTarget, _ paths: ArraySlice<String>) {
            for path in paths {
                do throws(PosixError) { target.take(try Files.read(path)) } catch {
                    print("cannot read '\(path)': \(error.reason)")
                    Process.exit(1)
                }
            }
            print("\(target.rawValue): \(paths.count) files")
        }
    #endif
}
