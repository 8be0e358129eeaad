internal import CCurl
package import EventLoop
internal import Posix

/// One HTTP request.
package struct HTTPRequest: Sendable {
    package var url: String
    /// Headers as lines `Name: value`.
    ///
    /// They may hold a key and are never logged.
    package var headers: [String]
    /// Sent by POST; nil makes it a GET.
    package var body: [UInt8]?
    /// Milliseconds until a connection must stand.
    package var connectTimeout: Int
    /// Milliseconds for the whole exchange, 0 for no end.
    package var totalTimeout: Int
    /// Never goes through a proxy, whatever the environment says.
    package var isDirect = false
    /// A file of certificates whose owners may sign the server's, beside the system's; nil leaves it to the environment.
    package var caFile: String?

    package init(url: String, headers: [String], body: [UInt8]?, connectTimeout: Int, totalTimeout: Int = 0) {
        self.url = url
        self.headers = headers
        self.body = body
        self.connectTimeout = connectTimeout
        self.totalTimeout = totalTimeout
    }
}

/// What comes back, in this order: a head, bodies, an end; or `failed` at any point.
package enum HTTPEvent: Sendable {
    /// Names in lower case; of repeated headers the last.
    case head(status: Int, headers: [String: String])
    /// Bytes as they came, cut anywhere.
    case body([UInt8])
    /// The exchange is over and whole; nothing follows.
    case end
    /// The exchange broke; nothing follows.
    case failed(TransportFailure)
}

/// HTTP over libcurl's multi interface, driven by the loop; everything is called on the loop's thread.
@safe package final class HTTPClient {
    private let loop: EventLoop
    private var multi: UnsafeMutableRawPointer?
    private var timer: EventLoop.TimerID?
    private var watched: Set<Int32> = []
    private var idle = IdleConnections()
    /// Whether a request looks for a connection at the next call of curl.
    private var hasNew = false
    private var touched: [HTTPCall] = []
    fileprivate var live: Set<ObjectIdentifier> = []
    private let paths: Paths
    /// Servers that call what they send packed in a way that is none.
    fileprivate var unpacked: Set<String> = []

    /// What the environment says of the way to servers, as curl's own program reads it.
    fileprivate struct Paths {
        let noProxy: String
        private let proxies: [String: String]
        let caFile: String?
        let caDirectory: String?

        init(_ environment: [String: String]) {
            func value(_ names: String...) -> String? {
                names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
            }
            let listed = value("no_proxy", "NO_PROXY") ?? ""
            noProxy = listed == "*" ? "*" : "localhost,127.0.0.1,::1" + (listed.isEmpty ? "" : "," + listed)
            // HTTP_PROXY in capitals is what a request's header `Proxy` becomes for a CGI program.
            let all = value("all_proxy", "ALL_PROXY")
            proxies = [
                "http": value("http_proxy") ?? all, "https": value("https_proxy", "HTTPS_PROXY") ?? all,
            ].compactMapValues(\.self)
            caFile = value("SSL_CERT_FILE")
            caDirectory = value("SSL_CERT_DIR")
        }

        /// The proxy for an address, empty for none.
        func proxy(for url: String) -> String { proxies[url.hasPrefix("https:") ? "https" : "http"] ?? "" }

        /// The host and port of a proxy or server, without name, password and path.
        static func place(_ url: String, port: String? = nil) -> String {
            let rest = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
            // A password may hold what ends an address: what stands before the last '@' is never shown.
            let host = rest.lastIndex(of: "@").map { rest[rest.index(after: $0)...] } ?? rest
            let place = host.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
            let hasPort =
                place.drop { $0 != "]" }.contains(":") || !place.contains("]") && place.contains(":")
            return hasPort || port == nil ? String(place) : "\(place):\(port ?? "")"
        }
    }

    /// Makes a client; libcurl is set up at the first request, since it costs memory that an idle daemon need not have.
    ///
    /// `environment` gives proxies, and certificates to trust; loopback never goes through a proxy.
    package init(loop: EventLoop, environment: [String: String]) {
        self.loop = loop
        paths = Paths(environment)
    }

    deinit {
        if let multi = unsafe multi { unsafe curl_multi_cleanup(multi) }
    }

    /// Starts a request; events come on later turns of the loop, never from inside this call.
    package func start(_ request: HTTPRequest, _ receive: @escaping (HTTPEvent) -> Void) -> HTTPCall {
        let multi = unsafe ready()
        let call = unsafe HTTPCall(self, receive, handle: ccurl_open(), request, paths)
        live.insert(ObjectIdentifier(call))
        unsafe call.retained = Unmanaged.passRetained(call)
        hasNew = true
        // Both fail where memory is short, and then no event would ever come.
        let added = unsafe curl_multi_add_handle(multi, call.easy)
        if added != CURLM_OK {
            loop.after(milliseconds: 0) { [self] in finish(call) { call.complete(CURLE_OUT_OF_MEMORY) } }
        }
        return call
    }

    private func ready() -> UnsafeMutableRawPointer? {
        if let multi = unsafe multi { return unsafe multi }
        curl_global_init(Int(CURL_GLOBAL_DEFAULT))
        unsafe multi = curl_multi_init()
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe ccurl_multi_callbacks(
            multi,
            { _, fd, what, context, _ in
                guard let context = unsafe context else { return 0 }
                unsafe Unmanaged<HTTPClient>.fromOpaque(context).takeUnretainedValue().watch(fd, what)
                return 0
            },
            { _, milliseconds, context in
                guard let context = unsafe context else { return 0 }
                unsafe Unmanaged<HTTPClient>.fromOpaque(context).takeUnretainedValue().setTimer(milliseconds)
                return 0
            }, context)
        return unsafe multi
    }

    private func watch(_ fd: Int32, _ what: Int32) {
        let wanted: Readiness =
            switch what {
            case CURL_POLL_IN: .reading
            case CURL_POLL_OUT: .writing
            case CURL_POLL_INOUT: [.reading, .writing]
            default: []
            }
        do {
            if what == CURL_POLL_REMOVE {
                if watched.remove(fd) != nil { loop.unwatch(fd) }
                return
            }
            idle.remove(fd)
            if watched.insert(fd).inserted {
                try loop.watch(fd, wanted) { [unowned self] in act(fd, $0) }
            } else {
                try loop.change(fd, wanted)
            }
        } catch {
            watched.remove(fd)  // curl's own timer finds the dead socket
        }
    }

    private func setTimer(_ milliseconds: Int) {
        if let timer { loop.cancel(timer) }
        timer = nil
        guard milliseconds >= 0 else { return }
        timer = loop.after(milliseconds: milliseconds) { [unowned self] in act(CURL_SOCKET_TIMEOUT, []) }
    }

    private func act(_ fd: Int32, _ readiness: Readiness) {
        var flags: Int32 = 0
        if readiness.contains(.reading) { flags |= CURL_CSELECT_IN }
        if readiness.contains(.writing) { flags |= CURL_CSELECT_OUT }
        if !readiness.isDisjoint(with: .closed) { flags |= CURL_CSELECT_ERR }
        if hasNew {
            hasNew = false
            idle.shutUnclean()
        }
        var running: Int32 = 0
        unsafe curl_multi_socket_action(multi, fd, flags, &running)
        deliver()
    }

    /// Hands out what the callbacks gathered, now that curl is not on the stack.
    private func deliver() {
        let calls = touched
        touched = []
        // What one call's receiver cancels is gone, although it has news in this round too.
        for call in calls where live.contains(ObjectIdentifier(call)) { call.deliver() }
        var code = CURLE_OK
        while let easy = unsafe ccurl_next_done(multi, &code) {
            guard let context = unsafe ccurl_get_private(easy) else { continue }
            let call = unsafe Unmanaged<HTTPCall>.fromOpaque(context).takeUnretainedValue()
            call.deliver()
            guard live.contains(ObjectIdentifier(call)) else { continue }
            // Not before: curl looks at the socket of a paused answer no more either. What HTTP/2 says between requests is part
            // of it, and its answers have numbers.
            if code == CURLE_OK { idle.add(unsafe ccurl_kept_socket(easy)) }
            finish(call) { call.complete(code) }
        }
    }

    /// curl may have called back from inside `curl_easy_pause`; what it gave is handed out on the next turn.
    fileprivate func deliverSoon() { loop.after(milliseconds: 0) { [weak self] in self?.deliver() } }

    fileprivate func touch(_ call: HTTPCall) { touched.append(call) }

    /// Takes a call out of curl; `last` runs while the call still exists.
    fileprivate func finish(_ call: HTTPCall, _ last: () -> Void) {
        guard live.remove(ObjectIdentifier(call)) != nil else { return }
        unsafe curl_multi_remove_handle(multi, call.easy)
        last()
        call.cleanUp()
        unsafe call.retained?.release()
    }
}

/// A request that is under way.
@safe package final class HTTPCall {
    private let handle: ccurl_handle
    fileprivate var easy: UnsafeMutableRawPointer? { unsafe handle.easy }
    fileprivate var retained: Unmanaged<HTTPCall>?
    private unowned let client: HTTPClient
    private var receive: ((HTTPEvent) -> Void)?
    private var list: UnsafeMutablePointer<curl_slist>?
    /// What is sent; gone once the server has it and answers, since an answer may take long.
    private var body: [UInt8]
    private var sent = 0
    private var headerLines: [String: String] = [:]
    private var isHeadDelivered = false
    private var isHeadDone = false
    private var received: [UInt8] = []
    private var isTouched = false
    private var isPaused = false
    private let url: String
    /// Empty for none.
    private let proxy: String

    fileprivate init(
        _ client: HTTPClient, _ receive: @escaping (HTTPEvent) -> Void, handle: ccurl_handle,
        _ request: HTTPRequest, _ paths: HTTPClient.Paths
    ) {
        url = request.url
        proxy = request.isDirect ? "" : paths.proxy(for: request.url)
        self.client = client
        self.receive = receive
        unsafe self.handle = unsafe handle
        body = request.body ?? []
        for header in request.headers + ["Expect:"] { unsafe list = curl_slist_append(list, header) }
        setUp(request)
        unsafe ccurl_set_way(
            easy, proxy, request.isDirect ? "*" : paths.noProxy,
            request.caFile.map { HTTPCall.readable($0) } ?? paths.caFile,
            paths.caDirectory, client.unpacked.contains(HTTPClient.Paths.place(url)) ? 0 : 1)
    }

    /// A file of certificates, or one that holds none in the place of what libcurl would wait for, as a pipe.
    private static func readable(_ path: String) -> String {
        // What cannot be looked at is said by libcurl.
        guard let status = (try? Files.status(path, follows: true)) ?? nil else { return path }
        return status.kind == .regular ? path : "/dev/null"
    }

    /// Bytes of a body that curl keeps a copy of until the end, and sends in one piece with the headers; it does so below
    /// 64 KiB (`MAX_INITIAL_POST_SIZE`, lib/http.h of 7.88).
    private static let shortBody = 16 << 10

    private func setUp(_ request: HTTPRequest) {
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe ccurl_set_string(easy, CURLOPT_URL, request.url)
        unsafe ccurl_set_list(easy, CURLOPT_HTTPHEADER, list)
        unsafe ccurl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeout)
        if request.totalTimeout > 0 { unsafe ccurl_set_long(easy, CURLOPT_TIMEOUT_MS, request.totalTimeout) }
        if request.body != nil {
            unsafe ccurl_set_long(easy, CURLOPT_POST, 1)
            unsafe ccurl_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
        }
        if (1...HTTPCall.shortBody).contains(body.count) {
            unsafe body.withUnsafeMutableBytes {
                _ = unsafe ccurl_set_pointer(easy, CURLOPT_COPYPOSTFIELDS, $0.baseAddress)
            }
            body = []
        } else if request.body != nil {
            unsafe ccurl_set_pointer(easy, CURLOPT_READDATA, context)
            unsafe ccurl_set_data(easy, CURLOPT_READFUNCTION) { room, size, count, context in
                guard let context = unsafe context, let room = unsafe room else { return 0 }
                let call = unsafe Unmanaged<HTTPCall>.fromOpaque(context).takeUnretainedValue()
                return unsafe call.give(UnsafeMutableRawBufferPointer(start: room, count: size * count))
            }
            unsafe ccurl_set_pointer(easy, CURLOPT_SEEKDATA, context)
            // Where a connection that was kept turns out to be dead, curl sends the body again from its beginning.
            unsafe ccurl_set_seek(easy) { context, offset, origin in
                guard let context = unsafe context, origin == SEEK_SET else { return CURL_SEEKFUNC_FAIL }
                let call = unsafe Unmanaged<HTTPCall>.fromOpaque(context).takeUnretainedValue()
                guard (0...call.body.count).contains(Int(offset)) else { return CURL_SEEKFUNC_FAIL }
                call.sent = Int(offset)
                return CURL_SEEKFUNC_OK
            }
        }
        unsafe ccurl_set_pointer(easy, CURLOPT_PRIVATE, context)
        unsafe ccurl_set_pointer(easy, CURLOPT_WRITEDATA, context)
        unsafe ccurl_set_pointer(easy, CURLOPT_HEADERDATA, context)
        unsafe ccurl_set_data(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            guard let context = unsafe context, let bytes = unsafe bytes else { return 0 }
            let call = unsafe Unmanaged<HTTPCall>.fromOpaque(context).takeUnretainedValue()
            return unsafe call.take(UnsafeRawBufferPointer(start: bytes, count: size * count))
                ? size * count : Int(CURL_WRITEFUNC_PAUSE)
        }
        unsafe ccurl_set_data(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            guard let context = unsafe context, let bytes = unsafe bytes else { return 0 }
            let line = unsafe [UInt8](UnsafeRawBufferPointer(start: bytes, count: size * count))
            unsafe Unmanaged<HTTPCall>.fromOpaque(context).takeUnretainedValue().takeHeader(line)
            return size * count
        }
    }

    /// Gives curl as much of the body as it has room for.
    private func give(_ room: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(room.count, body.count - sent)
        unsafe room.copyBytes(from: body[sent..<(sent + count)])
        sent += count
        return count
    }

    /// Breaks the exchange off; no event follows.
    package func cancel() {
        receive = nil
        client.finish(self) {}
    }

    /// Stops reading from the server until `resume`; what was read already still comes.
    package func pause() { isPaused = true }

    /// Goes on reading.
    package func resume() {
        guard isPaused else { return }
        isPaused = false
        guard receive != nil else { return }
        unsafe curl_easy_pause(easy, CURLPAUSE_CONT)
        client.deliverSoon()
    }

    private func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if isPaused { return false }
        unsafe received.append(contentsOf: bytes)
        touch()
        return true
    }

    private func takeHeader(_ line: [UInt8]) {
        let end = line.lastIndex { $0 != 0x0D && $0 != 0x0A }
        let text = line[..<(end.map { $0 + 1 } ?? 0)]
        // A new block, after a 1xx or a proxy's.
        if text.starts(with: "HTTP/".utf8) { headerLines = [:] }
        if text.isEmpty { isHeadDone = true }
        if let colon = text.firstIndex(of: 0x3A) {
            let value = text[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 }
            let name = String(decoding: text[..<colon], as: UTF8.self).lowercased()
            headerLines[name] = String(decoding: value, as: UTF8.self)
        }
        touch()
    }

    private func touch() {
        if isTouched { return }
        isTouched = true
        client.touch(self)
    }

    fileprivate func deliver() {
        isTouched = false
        if isHeadDone && !isHeadDelivered {
            let status = unsafe ccurl_get_long(easy, CURLINFO_RESPONSE_CODE)
            if status >= 200 {
                isHeadDelivered = true
                receive?(.head(status: status, headers: headerLines))
            }
            isHeadDone = false
        }
        if isHeadDelivered && sent == body.count {
            body = []
            sent = 0
        }
        guard !received.isEmpty else { return }
        let bytes = received
        received = []
        receive?(.body(bytes))
    }

    private var proxyPlace: String? {
        // Where no port is given curl takes these.
        let port = proxy.lowercased().hasPrefix("https://") ? "443" : "1080"
        return proxy.isEmpty ? nil : HTTPClient.Paths.place(proxy, port: port)
    }

    fileprivate func complete(_ code: CURLcode) {
        let receive = receive
        self.receive = nil
        if code == CURLE_OK {
            receive?(.end)
        } else {
            if code == CURLE_BAD_CONTENT_ENCODING, client.unpacked.count < 1_000 {
                client.unpacked.insert(HTTPClient.Paths.place(url))
            }
            let words = unsafe String(cString: curl_easy_strerror(code))
            let failure = TransportFailure(
                code: Int32(code.rawValue), message: words,
                details: unsafe handle.details.map { unsafe String(cString: $0) } ?? "",
                host: HTTPClient.Paths.place(url), proxy: proxyPlace,
                tunnel: unsafe ccurl_get_long(easy, CURLINFO_HTTP_CONNECTCODE))
            receive?(.failed(failure))
        }
    }

    fileprivate func cleanUp() {
        unsafe ccurl_close(handle, list)
        unsafe list = nil
    }
}
