/// Every method that the daemon answers, sorted by name; `schema/protocol.json` has an entry for each.
package enum Method: String, Sendable, CaseIterable {
    case cancelRequest = "$/cancel_request"
    case auditList = "_convod/audit"
    case branchCompare = "_convod/branch/compare"
    case branchDelete = "_convod/branch/delete"
    case branchList = "_convod/branch/list"
    case branchRewind = "_convod/branch/rewind"
    case branchSwitch = "_convod/branch/switch"
    case contextBuild = "_convod/context/build"
    case contextPreview = "_convod/context/preview"
    case contextReceipt = "_convod/context/receipt"
    case contextWhy = "_convod/context/why"
    case export = "_convod/export"
    case failureList = "_convod/failure/list"
    case importRecords = "_convod/import"
    case messageAppend = "_convod/message/append"
    case messageDelete = "_convod/message/delete"
    case messageList = "_convod/message/list"
    case messageSet = "_convod/message/set"
    case modelList = "_convod/model/list"
    case search = "_convod/search"
    case serverClients = "_convod/server/clients"
    case serverInfo = "_convod/server/info"
    case serverMetrics = "_convod/server/metrics"
    case serverReload = "_convod/server/reload"
    case sessionCompact = "_convod/session/compact"
    case sessionFind = "_convod/session/find"
    case sessionForkOwn = "_convod/session/fork"
    case sessionGet = "_convod/session/get"
    case sessionPurge = "_convod/session/purge"
    case sessionRestore = "_convod/session/restore"
    case sessionSet = "_convod/session/set"
    case sessionTitle = "_convod/session/title"
    case storeBackup = "_convod/store/backup"
    case storeCheck = "_convod/store/check"
    case storeCompact = "_convod/store/compact"
    case storePrune = "_convod/store/prune"
    case storeStats = "_convod/store/stats"
    case summaryDelete = "_convod/summary/delete"
    case summaryGet = "_convod/summary/get"
    case summaryList = "_convod/summary/list"
    case summarySet = "_convod/summary/set"
    case turnCancel = "_convod/turn/cancel"
    case turnContinue = "_convod/turn/continue"
    case turnGet = "_convod/turn/get"
    case turnList = "_convod/turn/list"
    case turnRetry = "_convod/turn/retry"
    case turnSet = "_convod/turn/set"
    case turnStart = "_convod/turn/start"
    case upstreamList = "_convod/upstream/list"
    case upstreamTest = "_convod/upstream/test"
    case usageList = "_convod/usage"
    case watch = "_convod/watch"
    case authenticate
    case initialize
    case discover = "rpc.discover"
    case sessionCancel = "session/cancel"
    case sessionClose = "session/close"
    case sessionDelete = "session/delete"
    case sessionFork = "session/fork"
    case sessionList = "session/list"
    case sessionLoad = "session/load"
    case sessionNew = "session/new"
    case sessionPrompt = "session/prompt"
    case sessionResume = "session/resume"
    case sessionSetConfigOption = "session/set_config_option"

    /// Whether it is convod's own, beside ACP and OpenRPC.
    package var isOwn: Bool { rawValue.hasPrefix("_") }

    /// Whether it is sent without an ID and never answered.
    package var isNotification: Bool { self == .cancelRequest || self == .sessionCancel }

    /// Its contract: a file of `Methods`.
    package var contract: any Contract.Type {
        switch self {
        case .cancelRequest: CancelRequest.self
        case .auditList: AuditList.self
        case .branchCompare: BranchCompare.self
        case .branchDelete: BranchDelete.self
        case .branchList: BranchList.self
        case .branchRewind: BranchRewind.self
        case .branchSwitch: BranchSwitch.self
        case .contextBuild: ContextBuild.self
        case .contextPreview: ContextPreview.self
        case .contextReceipt: ContextReceipt.self
        case .contextWhy: ContextWhy.self
        case .export: Export.self
        case .failureList: FailureList.self
        case .importRecords: Import.self
        case .messageAppend: MessageAppend.self
        case .messageDelete: MessageDelete.self
        case .messageList: MessageList.self
        case .messageSet: MessageSet.self
        case .modelList: ModelList.self
        case .search: Search.self
        case .serverClients: ServerClients.self
        case .serverInfo: ServerInfo.self
        case .serverMetrics: ServerMetrics.self
        case .serverReload: ServerReload.self
        case .sessionCompact: SessionCompact.self
        case .sessionFind: SessionFind.self
        case .sessionForkOwn: SessionForkOwn.self
        case .sessionGet: SessionGet.self
        case .sessionPurge: SessionPurge.self
        case .sessionRestore: SessionRestore.self
        case .sessionSet: SessionSet.self
        case .sessionTitle: SessionTitle.self
        case .storeBackup: StoreBackup.self
        case .storeCheck: StoreCheck.self
        case .storeCompact: StoreCompact.self
        case .storePrune: StorePrune.self
        case .storeStats: StoreStats.self
        case .summaryDelete: SummaryDelete.self
        case .summaryGet: SummaryGet.self
        case .summaryList: SummaryList.self
        case .summarySet: SummarySet.self
        case .turnCancel: TurnCancel.self
        case .turnContinue: TurnContinue.self
        case .turnGet: TurnGet.self
        case .turnList: TurnList.self
        case .turnRetry: TurnRetry.self
        case .turnSet: TurnSet.self
        case .turnStart: TurnStart.self
        case .upstreamList: UpstreamList.self
        case .upstreamTest: UpstreamTest.self
        case .usageList: UsageList.self
        case .watch: Watch.self
        case .authenticate: Authenticate.self
        case .initialize: Initialize.self
        case .discover: Discover.self
        case .sessionCancel: SessionCancel.self
        case .sessionClose: SessionClose.self
        case .sessionDelete: SessionDelete.self
        case .sessionFork: SessionFork.self
        case .sessionList: SessionList.self
        case .sessionLoad: SessionLoad.self
        case .sessionNew: SessionNew.self
        case .sessionPrompt: SessionPrompt.self
        case .sessionResume: SessionResume.self
        case .sessionSetConfigOption: SessionSetConfigOption.self
        }
    }
}
