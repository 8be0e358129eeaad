/// What the session of these tests looks like in each format; a change here is a change that users see.
let goldenTrace = #"""
    {"type":"session","version":1,"harness":"convo","checksum":"sha256","id":"trip","name":"巴黎 ☔","cwd":"/home/a","system":"Be brief.\nBe kind.","createdAt":"2025-11-25T06:00:00.000Z","updatedAt":"2025-11-25T06:00:00.000Z","tags":["convo","旅行"],"metadata":{   "n": 1.50  },"mcpServers":[]}
    {"type":"message","id":"01930000-0000-7000-8000-000000000002","parentId":"01930000-0000-7000-8000-000000000001","message":{"role":"user","content":"巴黎天气？","timestamp":1764050400123},"parts":[{"type":"text","text":"巴黎天气？"},{"type":"image","mimeType":"image/png","data":"AAAA"}],"status":"complete","turnId":"00000000-0000-0001-0000-000000000002","pinned":true,"metadata":{"from":"test"}}
    {"type":"message","id":"01930000-0000-7000-8000-000000000002","parentId":"01930000-0000-7000-8000-000000000001","message":{"role":"assistant","content":"","reasoningContent":"ask\nfirst","toolCalls":[{"id":"call_1","function":{"name":"get_weather","arguments":"{\"city\":\"巴黎\",\"unit\":\"```\"}"}}],"timestamp":1764050400123},"parts":[{"type":"thought","text":"ask\nfirst","issuer":"openai"},{"type":"tool_call","id":"call_1","name":"get_weather","arguments":{"city":"巴黎","unit":"```"}}],"status":"complete","turnId":"00000000-0000-0001-0000-000000000002"}
    {"type":"message","id":"01930000-0000-7000-8000-000000000002","parentId":"01930000-0000-7000-8000-000000000001","message":{"role":"tool","content":"18C\nno","toolCallId":"call_1","timestamp":1764050400123},"parts":[{"type":"tool_result","toolCallId":"call_1","content":[{"type":"text","text":"18C"}]},{"type":"tool_result","toolCallId":"call_2","content":"no","isError":true}],"status":"complete","turnId":"00000000-0000-0001-0000-000000000002"}
    {"type":"message","id":"01930000-0000-7000-8000-000000000002","parentId":"01930000-0000-7000-8000-000000000001","message":{"role":"assistant","content":"18 ","timestamp":1764050400123},"status":"interrupted","turnId":"00000000-0000-0001-0000-000000000002","excluded":true}

    """#

let goldenMarkdown = #"""
    # 巴黎 ☔

    Session `trip` · 2025-11-25T06:00:00.000Z · tags: convo, 旅行

    System prompt:

    > Be brief.
    > Be kind.

    ## User · 2025-11-25T06:00:00.123Z · pinned

    巴黎天气？

    *image, image/png*

    ## Assistant · 2025-11-25T06:00:00.123Z

    > ask
    > first

    Tool call `get_weather`, `call_1`:

    ````json
    {"city":"巴黎","unit":"```"}
    ````

    ## Tool · 2025-11-25T06:00:00.123Z

    Result of `call_1`:

    ```
    18C
    ```

    Error of `call_2`:

    ```
    no
    ```

    ## Assistant · 2025-11-25T06:00:00.123Z · interrupted · excluded

    18 

    """#
