internal import JSON

extension Method {
    /// `_convod/branch/switch`: makes another branch the active one.
    package enum BranchSwitch: Contract {
        package static let method = Method.branchSwitch
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges
        package typealias Parameters = OneBranch
        package typealias Result = Wire.ActivePath
    }
}
