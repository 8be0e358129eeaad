/// Where a client's lines go out, and what it costs: a connection, or in a test a list.
protocol ClientLink: AnyObject {
    var isOpen: Bool { get }
    /// Bytes that the client has not read.
    var waitingBytes: Int { get }
    /// Whether a request that is no part of a conversation is put off now, so that others' conversations go on.
    var putsOff: Bool { get }
    /// Sends a line; a push to a client that does not read ends it, what it asked for is never dropped.
    func send(_ line: [UInt8], isPush: Bool)
    /// The same of a piece of an answer, which may be merged with those that wait.
    func send(_ chunk: Chunk, isPush: Bool)
    /// Runs `action` once nearly everything is written, never from inside this call.
    func whenDrained(_ action: @escaping () -> Void)
    /// Puts something off; it is done in its order among what the client sent, before its next line is looked at.
    func add(step: @escaping () -> Void)
    /// A request of so many bytes is being worked on.
    func hold(_ bytes: Int)
    /// It is stored or answered.
    func letGo(_ bytes: Int)
    /// Requests that were held up may run now.
    func release()
    /// A line was a message, or none that anybody understands.
    func heard(isMessage: Bool)
    /// A request is answered, and no other has no answer yet where `isLast`.
    func answered(isLast: Bool)
    /// So many sessions more are seen by the client, or fewer.
    func joined(by change: Int)
    /// So many bytes more are kept for the client, or fewer.
    func kept(by change: Int)
    /// Closes now; what waits is lost.
    func close()
}
