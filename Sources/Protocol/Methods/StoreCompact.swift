internal import JSON

extension Method {
    /// `_convod/store/compact`: gives back what the file holds without using it.
    package enum StoreCompact: Contract {
        package static let method = Method.storeCompact
        package static let callers = Callers.administrators
        package static let order = RequestOrder.free

        /// What it takes.
        package struct Parameters: MethodParameters {
            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {}
        }

        /// What it gives, when it is done.
        package struct Result: Codable, MethodResult {
            /// Bytes of the database's file before and now, its log left out.
            package var bytesBefore: Int
            package var bytes: Int

            package init(bytesBefore: Int, bytes: Int) {
                self.bytesBefore = bytesBefore
                self.bytes = bytes
            }
        }
    }
}
