/// What a session says of one of its messages.
package enum Mark: Int, Sendable {
    /// Every window holds it.
    case pin = 0
    /// No window holds it.
    case exclusion = 1
}
