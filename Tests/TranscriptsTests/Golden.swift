let goldenTrace = ""
let goldenMarkdown = ""
