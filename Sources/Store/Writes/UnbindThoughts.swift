package import Archive
internal import Conversation

extension UnbindThoughts: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) {
        for message in messages {
            try writer.database.run(
                "UPDATE message SET binding = ? WHERE id = ?",
                [.utf8(Message.Binding.dead.encoded), .blob(message.bytes)],
                doing: "unbind thoughts")
        }
    }
}
