internal import Crypto
internal import TestSupport
internal import Testing

@Suite struct `An RSA signer` {
    private let input =
        "eyJhbGciOiJSUzI1NiJ9"
        + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

    @Test func `makes the signature of RFC 7515, appendix A.2`() throws {
        let signer = try #require(RSASigner(pem: Array(ExampleKey.rsa.utf8)))
        let signature = try #require(signer.sign(Array(input.utf8)))
        #expect(
            Base64.urlEncoded(signature)
                == "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt"
                + "_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArL"
                + "IARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7no"
                + "OPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ"
                + "Ge77Rw")
    }

    @Test func `reads also the older PEM form, and what stands around the key does no harm`() throws {
        let older = try run(
            "/usr/bin/openssl", ["rsa", "-traditional"], environment: [:], input: ExampleKey.rsa)
        let signers = try [older.1, "a line above\n\n" + ExampleKey.rsa + "\n\n"].map {
            try #require(RSASigner(pem: Array($0.utf8)))
        }
        #expect(older.1.contains("BEGIN RSA PRIVATE KEY"))
        #expect(signers[0].sign([1, 2, 3]) == signers[1].sign([1, 2, 3]))
    }

    @Test func `takes no text that holds no RSA key, and asks nobody for a pass phrase`() throws {
        let locked = try run(
            "/usr/bin/openssl", ["pkcs8", "-topk8", "-v2", "aes-128-cbc", "-passout", "pass:secret"],
            environment: [:], input: ExampleKey.rsa
        ).1
        let curve = try shell("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        #expect(locked.contains("ENCRYPTED") && curve.contains("PRIVATE KEY"))
        for text in ["", "no key", String(ExampleKey.rsa.dropLast(400)), locked, curve] {
            #expect(RSASigner(pem: Array(text.utf8)) == nil)
        }
    }
}

@Suite struct `Base64 for URLs` {
    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"),
    ]) func `is that of RFC 4648, section 10, without padding`(text: String, encoded: String) {
        #expect(Base64.urlEncoded(Array(text.utf8)) == encoded)
    }

    @Test func `has dashes and underscores`() {
        #expect(Base64.urlEncoded([0xFB, 0xEF, 0xBE, 0xFF, 0xFF]) == "----__8")
    }
}
