// SPDX-License-Identifier: Apache-2.0
#include "datastore/v3_cluster.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "datastore/client_defaults.h"
#include "tests/unit/datastore/decoding.h"

namespace felix::datastore {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string TierYaml(std::string_view spec) {
  return ObjectYaml("Tier", "{name: sec}", spec);
}

TEST(Tier, GetsTheOrderAndActionThatTheClientWouldFillIn) {
  EXPECT_EQ(DecodeValue<model::Tier>(TierYaml("{}")),
            (model::Tier{1'000'000, model::TierDefaultAction::kDeny}));
  EXPECT_EQ(DecodeValue<model::Tier>(TierYaml("{order: 200, defaultAction: Pass}")),
            (model::Tier{200, model::TierDefaultAction::kPass}));
  EXPECT_EQ(DecodeValue<model::Tier>(TierYaml("{defaultAction: Deny}")).default_action,
            model::TierDefaultAction::kDeny);
}

TEST(Tier, WithAnUnknownActionDeniesAndIsRemarkedOn) {
  const Decoded decoded = DecodeOne(TierYaml("{order: 7, defaultAction: Allow}"));
  ASSERT_TRUE(decoded.value.has_value());
  EXPECT_EQ(std::get<model::Tier>(*decoded.value),
            (model::Tier{7, model::TierDefaultAction::kDeny}));
  ASSERT_TRUE(decoded.refusal.has_value());
  EXPECT_EQ(decoded.refusal->field, "spec.defaultAction");
}

TEST(Tier, IsRefusedForItsNameAndOrder) {
  ExpectRefused(ObjectYaml("Tier", "{name: a.b}", "{}"), "metadata.name", "63");
  ExpectRefused(ObjectYaml("Tier", "{name: " + std::string(64, 'a') + "}", "{}"), "metadata.name",
                "63");
  ExpectRefused(TierYaml("{order: first}"), "spec.order", "not a number");
}

TEST(Profile, IsConvertedWithItsLabelsAndRules) {
  const auto profile = DecodeValue<model::Profile>(ObjectYaml(
      "Profile", "{name: net1}",
      "{egress: [{action: Allow}], ingress: [{action: Allow, source: {selector: has(net1)}}], "
      "labelsToApply: {net1: '', pcns.team: x, projectcalico.org/namespace: prod}}"));
  EXPECT_EQ(profile.labels_to_apply.ToString(), "net1=,pcns.team=x");
  ASSERT_THAT(profile.ingress, SizeIs(1));
  EXPECT_EQ(profile.ingress[0].source.selector->text(), "has(net1)");
  EXPECT_THAT(profile.egress, SizeIs(1));
}

TEST(Profile, IsRefusedForItsLabelsAndForPass) {
  ExpectRefused(ObjectYaml("Profile", "{name: a}", "{labelsToApply: {'a b': x}}"),
                "spec.labelsToApply", "qualified name");
  ExpectRefused(ObjectYaml("Profile", "{name: a}", "{labelsToApply: {a: 1}}"),
                "spec.labelsToApply.a", "not a string");
  ExpectRefused(ObjectYaml("Profile", "{name: a}", "{egress: [{action: Pass}]}"),
                "spec.egress[0].action", "no meaning");
}

TEST(NetworkSet, BelongsToItsNamespace) {
  const std::string yaml =
      ObjectYaml("NetworkSet",
                 "{name: ext, namespace: prod, labels: {kind: ext, pcns.team: x, "
                 "projectcalico.org/serviceaccount: admin}}",
                 "{nets: [203.0.113.9, '2001:db8:1::/48', 0.0.0.0/0, 10.1.2.3/8]}");
  EXPECT_EQ(DecodeOne(yaml).key, model::Key(model::NetworkSetId{"prod", "ext"}));
  const auto set = DecodeValue<model::NetworkSet>(yaml);
  EXPECT_EQ(set.labels.ToString(), "kind=ext,projectcalico.org/namespace=prod");
  EXPECT_THAT(set.profiles, ElementsAre("kns.prod"));
  EXPECT_THAT(
      set.nets,
      ElementsAre(*model::Cidr::Parse("203.0.113.9/32"), *model::Cidr::Parse("2001:db8:1::/48"),
                  *model::Cidr::Parse("0.0.0.0/0"), *model::Cidr::Parse("10.0.0.0/8")));
}

TEST(GlobalNetworkSet, BelongsToNoNamespace) {
  const auto set = DecodeValue<model::NetworkSet>(
      ObjectYaml("GlobalNetworkSet", "{name: bad, labels: {a: b}}", "{nets: [198.51.100.0/24]}"));
  EXPECT_EQ(set.labels.ToString(), "a=b");
  EXPECT_THAT(set.profiles, IsEmpty());
}

TEST(NetworkSet, IsRefusedRatherThanLackANet) {
  ExpectRefused(ObjectYaml("GlobalNetworkSet", "{name: a}", "{nets: [10.0.0.0/8, nonsense]}"),
                "spec.nets[1]", "not an address");
  ExpectRefused(ObjectYaml("GlobalNetworkSet", "{name: a}", "{nets: 10.0.0.0/8}"), "spec.nets",
                "not a list");
  ExpectRefused(ObjectYaml("GlobalNetworkSet",
                           "{name: a, labels: {projectcalico.org/namespace: prod}}", "{}"),
                "metadata.labels", "the system's");
  ExpectRefused(
      ObjectYaml("NetworkSet",
                 "{name: a, namespace: x, labels: {projectcalico.org/namespace: prod}}", "{}"),
      "metadata.labels", "the system's");
}

struct EnvelopeCase {
  std::string yaml;
  std::string field;
  std::string reason;
};

TEST(Object, IsRefusedForItsEnvelope) {
  const EnvelopeCase cases[] = {
      {"{kind: Tier, metadata: {name: a}}", "apiVersion", "missing"},
      {"{apiVersion: v1, kind: Pod, metadata: {name: a}}", "apiVersion", "'v1' is not"},
      {"{apiVersion: crd.projectcalico.org/v1, kind: Tier}", "apiVersion", "is not"},
      {"{apiVersion: projectcalico.org/v3, metadata: {name: a}}", "kind", "missing"},
      {"{apiVersion: projectcalico.org/v3, kind: Firewall}", "kind", "'Firewall' is unknown"},
      {"{apiVersion: projectcalico.org/v3, kind: [Tier]}", "kind", "not a string"},
      {"{apiVersion: projectcalico.org/v3, kind: Tier}", "metadata", "missing"},
      {"{apiVersion: projectcalico.org/v3, kind: Tier, metadata: a}", "metadata", "not an object"},
      {"{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: a}, Spec: {}}", "Spec",
       "must be spelled"},
      {"{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: a}, order: 5}", "order",
       "unknown field"},
      {"just a text", "", "not an object"},
      {"5", "", "not an object"},
  };
  for (const EnvelopeCase& c : cases) ExpectRefused(c.yaml, c.field, c.reason);
}

struct MetadataCase {
  std::string kind;
  std::string metadata;
  std::string field;  // empty: accepted
};

TEST(Object, IsRefusedForItsMetadata) {
  const std::string long_name = std::string(254, 'a');
  const MetadataCase cases[] = {
      {"Profile", "{}", "metadata.name"},
      {"Profile", "{name: 5}", "metadata.name"},
      {"GlobalNetworkSet", "{name: A}", "metadata.name"},
      {"GlobalNetworkSet", "{name: a_b}", "metadata.name"},
      {"GlobalNetworkSet", "{name: a.}", "metadata.name"},
      {"GlobalNetworkSet", "{name: -a}", "metadata.name"},
      {"GlobalNetworkSet", "{name: a..b}", "metadata.name"},
      {"Profile", "{name: " + long_name + "}", "metadata.name"},
      {"Profile", "{name: " + long_name.substr(1) + "}", ""},
      {"Profile", "{name: kns.a.b.c.d}", ""},
      {"Profile", "{name: Net_1.-}", ""},
      {"Profile", "{name: 'a b'}", "metadata.name"},
      {"Profile", "{name: a/b}", "metadata.name"},
      {"GlobalNetworkSet", "{name: " + long_name + "}", "metadata.name"},
      {"Profile", "{name: default_Agent-1}", ""},
      {"Profile", "{name: a/b}", "metadata.name"},
      {"Profile", "{name: a, namespace: b}", "metadata.namespace"},
      {"NetworkPolicy", "{name: a}", "metadata.namespace"},
      {"NetworkPolicy", "{name: a, namespace: A}", "metadata.namespace"},
      {"NetworkPolicy", "{name: a, namespace: a.b}", "metadata.namespace"},
      {"NetworkPolicy", "{name: default.a, namespace: b}", ""},
      {"NetworkPolicy", "{name: a.b.c, namespace: b}", "metadata.name"},
      {"NetworkPolicy", "{name: knp.default.a.b, namespace: b}", ""},
      {"NetworkPolicy", "{name: ossg.default.a, namespace: b}", ""},
      {"NetworkPolicy", "{name: knp.default., namespace: b}", "metadata.name"},
      {"NetworkPolicy", "{name: kcnp.kube-admin.a, namespace: b}", "metadata.name"},
      {"GlobalNetworkPolicy", "{name: sec.a}", ""},
      {"GlobalNetworkPolicy", "{name: a.b.c}", "metadata.name"},
      {"GlobalNetworkPolicy", "{name: kcnp.kube-admin.a}", ""},
      {"StagedNetworkPolicy", "{name: a.b.c, namespace: b}", "metadata.name"},
      {"Profile", "{name: a, labels: {x: 'a b'}}", "metadata.labels"},
      {"Profile", "{name: a, labels: {x: " + std::string(64, 'a') + "}}", "metadata.labels"},
      {"Profile", "{name: a, labels: {x: " + std::string(63, 'a') + "}}", ""},
      {"Profile", "{name: a, labels: {x: ''}}", ""},
      {"Profile", "{name: a, labels: {x: null}}", ""},
      {"Profile", "{name: a, labels: {a.b/c_D.e-f: x}}", ""},
      {"Profile", "{name: a, labels: {-x: y}}", "metadata.labels"},
      {"Profile", "{name: a, labels: {/x: y}}", "metadata.labels"},
      {"Profile", "{name: a, labels: {A/x: y}}", "metadata.labels"},
      {"Profile", "{name: a, labels: {a/: y}}", "metadata.labels"},
      {"Profile", "{name: a, labels: {a/b/c: y}}", "metadata.labels"},
      {"Profile", "{name: a, labels: {x: true}}", "metadata.labels.x"},
      {"Profile", "{name: a, labels: [x]}", "metadata.labels"},
      {"Profile", "{name: a, annotations: {'a b': x}}", "metadata.annotations"},
      {"Profile", "{name: a, annotations: {x: " + std::string(256 << 10, 'a') + "}}",
       "metadata.annotations"},
      {"Profile", "{name: a, uid: 1, creationTimestamp: null, finalizers: [x]}", ""},
      {"Profile", "{Name: a}", "metadata.name"},
  };
  for (const MetadataCase& c : cases) {
    const std::string yaml = ObjectYaml(c.kind, c.metadata, "{}");
    if (!c.field.empty()) {
      ExpectRefused(yaml, c.field, "");
    } else {
      EXPECT_FALSE(DecodeOne(yaml).refusal.has_value()) << yaml.substr(0, 200);
    }
  }
}

std::string PoolYaml(std::string_view spec) {
  return ObjectYaml("IPPool", "{name: p0}", spec);
}

TEST(IpPool, IsItsRangeAndWhatBecomesOfItsAddresses) {
  EXPECT_EQ(DecodeOne(PoolYaml("{cidr: 10.0.0.0/16}")).key, model::Key(model::IpPoolId{"p0"}));
  const model::Cidr net = *model::Cidr::Parse("10.0.0.0/16");
  const auto decode = [](std::string_view spec) {
    return DecodeValue<model::IpPool>(PoolYaml(spec));
  };
  EXPECT_EQ(decode("{cidr: 10.0.0.0/16}"), (model::IpPool{.cidr = net}));
  EXPECT_EQ(decode("{cidr: 10.0.0.0/16, ipipMode: CrossSubnet, natOutgoing: true, blockSize: 26, "
                   "nodeSelector: all(), allowedUses: [Workload, LoadBalancer]}"),
            (model::IpPool{.cidr = net, .nat_outgoing = true}));
  EXPECT_EQ(decode("{cidr: 10.0.0.0/16, nat-outgoing: true, ipip: {enabled: true, mode: always}}"),
            (model::IpPool{.cidr = net, .nat_outgoing = true}));
  EXPECT_EQ(decode("{cidr: 10.0.0.0/16, allowedUses: [LoadBalancer]}"),
            (model::IpPool{.cidr = net, .load_balancer_only = true}));
}

TEST(IpPool, IsRefusedIfItsRangeOrUseIsUnclear) {
  ExpectRefused(PoolYaml("{}"), "spec.cidr", "missing");
  ExpectRefused(PoolYaml("{cidr: 10.0.0.1/16}"), "spec.cidr", "without host bits");
  ExpectRefused(PoolYaml("{cidr: 10.0.0.0}"), "spec.cidr", "without host bits");
  ExpectRefused(PoolYaml("{cidr: 10.0.0.0/16, natoutgoing: true}"), "spec.natoutgoing",
                "natOutgoing");
  ExpectRefused(PoolYaml("{cidr: 10.0.0.0/16, allowedUses: [Pets]}"), "spec.allowedUses", "Pets");
}

TEST(Node, IsKnownByTheAddressOfBgpOrElseTheFirstInternalOrExternalOne) {
  const auto addresses = [](std::string_view spec) {
    std::vector<std::string> texts;
    for (const auto& address :
         DecodeValue<model::Node>(ObjectYaml("Node", "{name: n1}", spec)).addresses) {
      texts.push_back(address.ToString());
    }
    return texts;
  };
  EXPECT_THAT(addresses("{}"), IsEmpty());
  EXPECT_THAT(addresses("{bgp: {asNumber: 64512, ipv4Address: 172.17.0.2/24, "
                        "ipv6Address: 'fd01::2/64'}, addresses: "
                        "[{address: 172.17.0.9, type: InternalIP}]}"),
              ElementsAre("172.17.0.2", "fd01::2"));
  EXPECT_THAT(addresses("{addresses: [{address: n1, type: Hostname}, "
                        "{address: 198.51.100.1, type: ExternalIP}, "
                        "{address: 10.0.0.1, type: InternalIP}, "
                        "{address: 10.0.0.2, type: InternalIP}, "
                        "{address: 'fd00::1', type: ExternalIP}]}"),
              ElementsAre("10.0.0.1", "fd00::1"));
}

TEST(Node, IsRefusedIfAnAddressCannotBeRead) {
  ExpectRefused(ObjectYaml("Node", "{name: n1}", "{bgp: {ipv4Address: 'fd01::2/64'}}"),
                "spec.bgp.ipv4Address", "not an address of IPv4");
  ExpectRefused(ObjectYaml("Node", "{name: n1}", "{addresses: [{address: x, type: InternalIP}]}"),
                "spec.addresses[0].address", "not an address");
}

TEST(Object, OfAnotherKindOfCalicosIsIgnored) {
  for (const std::string_view kind :
       {"ClusterInformation", "BGPConfiguration", "BGPPeer", "IPReservation"}) {
    const Decoded decoded = DecodeOne(ObjectYaml(kind, "{name: a}", "{}"));
    EXPECT_EQ(decoded.ignored_kind, std::string(kind));
    EXPECT_FALSE(decoded.refusal.has_value()) << kind;
    EXPECT_FALSE(decoded.key.has_value()) << kind;
  }
}

TEST(Object, IgnoresFieldsThatAreNotKnownWhereTheyCannotBeConditions) {
  DecodeValue<model::Tier>(TierYaml("{futureOption: {a: 1}}"));
  DecodeValue<model::NetworkSet>(ObjectYaml("GlobalNetworkSet", "{name: a}", "{future: x}"));
  DecodeValue<model::Tier>(
      "{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: a}, status: {x: 1}}");
}

TEST(Object, WithoutASpecHasAnEmptyOne) {
  EXPECT_TRUE(DecodeOne("{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: a}}")
                  .value.has_value());
}

TEST(SplitResources, FindsTheObjectsOfEveryShape) {
  const std::string tier = TierYaml("{}");
  EXPECT_THAT(DecodeAll("---\n" + tier + "\n---\n" + tier), SizeIs(2));
  EXPECT_THAT(DecodeAll("[" + tier + ", " + tier + "]"), SizeIs(2));
  EXPECT_THAT(DecodeAll("{kind: List, apiVersion: v1, items: [" + tier + "]}"), SizeIs(1));
  EXPECT_THAT(DecodeAll("{kind: TierList, apiVersion: projectcalico.org/v3, "
                        "metadata: {resourceVersion: '12'}, items: [" +
                        tier + "]}"),
              SizeIs(1));
  EXPECT_THAT(DecodeAll("{kind: TierList, items: null}"), IsEmpty());
  EXPECT_THAT(DecodeAll("{kind: TierList, items: []}"), IsEmpty());
  EXPECT_TRUE(DecodeOne("[[" + tier + "]]").refusal.has_value());
  EXPECT_TRUE(DecodeOne("{kind: TierList, items: {}}").refusal.has_value());
}

TEST(Printable, MakesOneLineOfAnyText) {
  EXPECT_EQ(Printable("a\n\x1b[0m\x7f"), "a??[0m?");
  EXPECT_EQ(Printable(std::string(600, 'x')).size(), 515U);
}

TEST(BuiltInResources, AreTheThreeTiersAndTheDefaultAllowProfile) {
  const std::vector<model::Update> updates = BuiltInResources();
  ASSERT_THAT(updates, SizeIs(4));
  EXPECT_EQ(updates[0], (model::Update{model::TierId{"default"},
                                       model::Tier{1e6, model::TierDefaultAction::kDeny}}));
  EXPECT_EQ(updates[1], (model::Update{model::TierId{"kube-admin"},
                                       model::Tier{1e3, model::TierDefaultAction::kPass}}));
  EXPECT_EQ(updates[2], (model::Update{model::TierId{"kube-baseline"},
                                       model::Tier{1e7, model::TierDefaultAction::kPass}}));
  const auto& profile = std::get<model::Profile>(*updates[3].value);
  EXPECT_EQ(updates[3].key, model::Key(model::ProfileId{"projectcalico-default-allow"}));
  EXPECT_THAT(profile.ingress, ElementsAre(model::PolicyRule()));
  EXPECT_THAT(profile.egress, ElementsAre(model::PolicyRule()));
}

}  // namespace
}  // namespace felix::datastore
