internal import JSON

extension Method {
    /// `_convod/store/backup`: a copy of the whole database, made while everything goes on.
    package enum StoreBackup: Contract {
        package static let method = Method.storeBackup
        package static let callers = Callers.administrators
        package static let order = RequestOrder.free

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// An absolute path at which nothing is, on the daemon's machine.
            package var path: String

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                guard let path = try reader.directory("path") else { throw .invalid("'path' is missing") }
                self.path = path
            }
        }

        /// What it gives, when the copy is there.
        package struct Result: Codable, MethodResult {
            package var path: String
            package var bytes: Int

            package init(path: String, bytes: Int) {
                self.path = path
                self.bytes = bytes
            }
        }
    }
}
