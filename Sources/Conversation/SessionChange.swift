/// What becomes of a session's own fields; each is left as it is unless it is set.
package struct SessionChange: Sendable, Equatable {
    /// A field that may be set, or set to nothing.
    package enum Field<Value: Sendable & Equatable>: Sendable, Equatable {
        /// It stays as it is.
        case left
        /// It becomes this; nil clears it.
        case set(Value?)

        func apply(to value: inout Value?) { if case .set(let new) = self { value = new } }
    }

    package var title = Field<String>.left
    package var system = Field<String>.left
    /// What a client brought along.
    package var appendedSystem = Field<String>.left
    package var upstream = Field<String>.left
    package var model = Field<String>.left
    /// A raw JSON object, see `WindowPolicy`.
    package var window = Field<[UInt8]>.left
    /// A raw JSON object `{tokens, cost}`.
    package var quota = Field<[UInt8]>.left
    /// Nil leaves a session without tags.
    package var tags = Field<[String]>.left
    /// A raw JSON object.
    package var metadata = Field<[UInt8]>.left
    /// nil leaves it.
    package var isArchived: Bool?

    package init() {}

    /// Makes the changes.
    package func apply(to session: inout Session) {
        title.apply(to: &session.title)
        system.apply(to: &session.system)
        appendedSystem.apply(to: &session.appendedSystem)
        upstream.apply(to: &session.settings.upstream)
        model.apply(to: &session.settings.model)
        window.apply(to: &session.settings.window)
        quota.apply(to: &session.settings.quota)
        if case .set(let new) = tags { session.tags = new ?? [] }
        metadata.apply(to: &session.metadata)
        if let isArchived { session.isArchived = isArchived }
    }
}
