// Who may write? Takes that right away, or gives it back.
//
// java Access.java BOOTSTRAP deny|allow PRINCIPAL
// It is the right to write to any topic, and with it the right to get a producer id: a broker gives one to whoever may
// write to some topic. The caller has to be a super user.

import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

public final class Access {
    public static void main(String[] arguments) throws Exception {
        var bindings = List.of(
            denial(arguments[2], ResourceType.TOPIC, "*", AclOperation.WRITE),
            denial(arguments[2], ResourceType.CLUSTER, "kafka-cluster", AclOperation.IDEMPOTENT_WRITE));
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", arguments[0]))) {
            if (arguments[1].equals("deny")) {
                admin.createAcls(bindings).all().get();
            } else {
                admin.deleteAcls(bindings.stream().map(AclBinding::toFilter).toList()).all().get();
            }
        }
    }

    private static AclBinding denial(String principal, ResourceType type, String name, AclOperation operation) {
        var pattern = new ResourcePattern(type, name, PatternType.LITERAL);
        var entry = new AccessControlEntry(principal, "*", operation, AclPermissionType.DENY);
        return new AclBinding(pattern, entry);
    }
}
