/// One message of a request to an upstream, in neutral form.
package struct OutgoingMessage: Sendable, Equatable {
    package var role: Message.Role
    package var parts: [Part]

    package init(role: Message.Role, parts: [Part]) {
        self.role = role
        self.parts = parts
    }
}
