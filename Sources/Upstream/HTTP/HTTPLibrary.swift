internal import CCurl

/// The library that speaks HTTP.
package enum HTTPLibrary {
    /// As "libcurl/7.88.1 OpenSSL/3.0.19 nghttp2/1.52.0": what this process runs with, not what it was built with.
    package static var version: String {
        unsafe curl_version().map { unsafe String(cString: $0) } ?? "libcurl"
    }
}
