//! What does a plain, genuine Graph notification look like?

/// Where Graph posts.
pub const PATH: &str = "/v1/microsoft/graph";

/// A `changeNotificationCollection` of created messages, one for each id, all with one `clientState`.
pub fn notifications(ids: &[String], client_state: &str) -> String {
    let item = |id: &String| {
        let resource = resource_of(id);
        let path = format!("Users/5a0f6f3c-6b0e-4d0a-9d8b-0c3f2b1a7e55/Messages/{resource}");
        serde_json::json!({
            "id": id,
            "subscriptionId": "b1f0c7de-2a44-4f7e-8a31-6f3c9d2e8b10",
            "subscriptionExpirationDateTime": "2031-03-01T08:00:00.0000000Z",
            "clientState": client_state,
            "changeType": "created",
            "resource": path,
            "tenantId": "0d3c1b8e-9a55-4e67-b6f1-7c2d4e5f6a01",
            "resourceData": {
                "@odata.type": "#Microsoft.Graph.Message",
                "@odata.id": path,
                "@odata.etag": "W/\"CQAAABYAAABhZGRl\"",
                "id": resource,
            },
        })
    };
    serde_json::json!({ "value": ids.iter().map(item).collect::<Vec<_>>() }).to_string()
}

/// The id of the message that the notification with this id is about.
pub fn resource_of(id: &str) -> String {
    format!("AAMkADk0{id}AAA=")
}
