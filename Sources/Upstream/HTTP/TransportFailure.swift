/// The exchange broke: curl's code, its words, and what they mean where more is known than that.
package struct TransportFailure: Error, Sendable, Equatable {
    /// What stands in the way, for those faults that only their owner mends or that a proxy makes.
    package enum Cause: Sendable, Equatable {
        /// The certificate's issuer is not known here.
        case unknownIssuer
        /// The certificate is for another name.
        case otherName
        /// The certificate is no longer good.
        case expired
        /// The certificate is not good yet; often the clock here is wrong.
        case notYetValid
        /// Any other fault of the certificate.
        case certificate
        /// The file with the issuers cannot be read.
        case issuersUnreadable
        /// What answers a TLS greeting does not speak it.
        case notTLS
        /// The proxy wants a name and a password.
        case proxyLogin
        /// The proxy answered the request for a tunnel with this status.
        case proxyRefusal(Int)
        /// Nobody answers where the proxy should be.
        case noProxy
        /// The answer's header lines are longer than libcurl takes, or memory is short.
        case longHeaders
    }

    /// Curl's own, a `CURLcode`.
    package let code: Int32
    /// Curl's words, for people.
    package let message: String
    /// Nil where no more is known than the code says.
    package let cause: Cause?
    /// The server, as `host` or `host:port`.
    package let host: String
    /// The proxy, as `host:port` without its name and password; nil where none is set.
    package let proxy: String?

    /// `details` are what curl wrote of this exchange (`CURLOPT_ERRORBUFFER`), `tunnel` is the status of a proxy's answer, 0
    /// for none.
    package init(
        code: Int32, message: String, details: String = "", host: String = "", proxy: String? = nil,
        tunnel: Int = 0
    ) {
        self.code = code
        self.message = message
        self.host = host
        self.proxy = proxy
        cause = TransportFailure.cause(code, details, proxy, tunnel)
    }

    /// Told from curl's code and the words of OpenSSL, which are the only place where the reason stands.
    private static func cause(_ code: Int32, _ details: String, _ proxy: String?, _ tunnel: Int) -> Cause? {
        let words = details.lowercased()
        func says(_ phrases: String...) -> Bool { phrases.contains { words.contains($0) } }
        switch code {
        case 5: return .noProxy
        case 7:
            guard let proxy, let colon = proxy.lastIndex(of: ":") else { return nil }
            let place = "\(proxy[..<colon].lowercased()) port \(proxy[proxy.index(after: colon)...])"
            return words.contains(place) ? .noProxy : nil
        case 35
        where says("wrong version number", "packet length too long", "http request", "unknown protocol"):
            return .notTLS
        case 60:
            if says("no alternative certificate subject name", "does not match", "hostname mismatch") {
                return .otherName
            }
            if says("has expired") { return .expired }
            if says("not yet valid") { return .notYetValid }
            return says("issuer certificate", "self-signed", "self signed") ? .unknownIssuer : .certificate
        case 77: return .issuersUnreadable
        // A line of more than 100 KiB is CURLE_OUT_OF_MEMORY (dynbuf.h, DYN_H1_TRAILER; lib/http.c), and later versions say 100.
        case 27, 100: return .longHeaders
        case 56 where says("too large response headers"): return .longHeaders
        case 56 where tunnel == 407: return .proxyLogin
        case 56 where tunnel >= 300: return .proxyRefusal(tunnel)
        default: return nil
        }
    }

    /// Whether a further try may help (wire.md G3, point 8): not where a person must mend something first.
    package var isRetryable: Bool {
        switch cause {
        case .noProxy: true
        case .proxyRefusal(let status): status >= 500
        case .some: false
        case nil: [5, 6, 7, 16, 18, 28, 35, 52, 55, 56, 92].contains(code)
        }
    }
    package var isTimeout: Bool { code == 28 }
    /// Whether what came is said to be packed in a way that nobody knows.
    package var isUnknownPacking: Bool { code == 61 }
    /// Whether the other side closed a connection that stood: a part came, nothing did, or sending or receiving failed.
    package var isCut: Bool { [18, 52, 55, 56].contains(code) && sentence == nil }
    /// Whether what came is no HTTP: addresses are checked before, so 1 is said of nothing else here.
    package var isProtocolFault: Bool { [1, 8].contains(code) }

    /// What stands in the way and what to do, in one sentence without a full stop; nil where curl's words are all there is.
    package var sentence: String? {
        let proxy = "the proxy '\(proxy ?? "")'"
        return switch cause {
        case .unknownIssuer:
            "the certificate of '\(host)' is signed by nobody known here; name the issuer's file in 'caFile' of the upstream, or in SSL_CERT_FILE"
        case .otherName: "the certificate of '\(host)' is for another name; check the address"
        case .expired:
            "the certificate of '\(host)' has expired; it must be renewed there, unless this machine's clock is wrong"
        case .notYetValid: "the certificate of '\(host)' is not valid yet; check this machine's clock"
        case .certificate: "the certificate of '\(host)' is not taken: \(message.lowercased())"
        case .issuersUnreadable:
            "the file that 'caFile' or SSL_CERT_FILE names cannot be read, or holds no certificate"
        case .notTLS: "what answers at '\(host)' does not speak TLS; check the port, or write 'http://'"
        case .proxyLogin:
            "\(proxy) wants a name and a password (HTTP 407); put them into its address in the environment"
        case .proxyRefusal(let status): "\(proxy) does not let through to '\(host)' (HTTP \(status))"
        case .noProxy:
            "\(proxy) does not answer; check the environment's 'https_proxy', 'http_proxy' and 'no_proxy'"
        case .longHeaders:
            "the answer of '\(host)' has header lines that are longer than libcurl takes (100 KiB a line), or memory is short"
        case nil: nil
        }
    }
}
