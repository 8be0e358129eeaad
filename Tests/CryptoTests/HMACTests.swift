internal import Crypto
internal import Testing

/// A case of RFC 4231, section 4.
private struct Vector: Sendable, CustomTestStringConvertible {
    let number: Int
    let key: [UInt8]
    let message: [UInt8]
    let digest: String
    var testDescription: String { "case \(number)" }
}

private func bytes(_ value: UInt8, _ count: Int) -> [UInt8] { [UInt8](repeating: value, count: count) }

private let vectors = [
    Vector(
        number: 1, key: bytes(0x0B, 20), message: Array("Hi There".utf8),
        digest: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    Vector(
        number: 2, key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8),
        digest: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    Vector(
        number: 3, key: bytes(0xAA, 20), message: bytes(0xDD, 50),
        digest: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    Vector(
        number: 4, key: Array(1...25), message: bytes(0xCD, 50),
        digest: "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    Vector(
        number: 6, key: bytes(0xAA, 131),
        message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
        digest: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
    Vector(
        number: 7, key: bytes(0xAA, 131),
        message: Array(
            ("This is a test using a larger than block-size key and a larger than block-size data. "
                + "The key needs to be hashed before being used by the HMAC algorithm.").utf8),
        digest: "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
]

@Suite struct `HMAC with SHA-256` {
    @Test(arguments: vectors) fileprivate func `is that of RFC 4231`(vector: Vector) {
        #expect(HMACSHA256.of(vector.message, key: vector.key).hexadecimal == vector.digest)
    }

    @Test func `takes an empty key and an empty message`() {
        #expect(
            HMACSHA256.of([], key: []).hexadecimal
                == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }
}
