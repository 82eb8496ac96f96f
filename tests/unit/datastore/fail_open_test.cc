// SPDX-License-Identifier: Apache-2.0
// Mistakes in a policy that would open what they were to close if the faulty part were left out.
// Each is refused as a whole, and named.
#include "gtest/gtest.h"

#include "tests/unit/datastore/decoding.h"

namespace felix::datastore {
namespace {

TEST(FailOpen, ABadNamespaceSelectorDoesNotWidenARule) {
  ExpectRefused(
      PolicyYaml("{ingress: [{action: Allow, source: {namespaceSelector: \"team = 'a'\"}}]}"),
      "spec.ingress[0].source.namespaceSelector", "does not parse");
}

TEST(FailOpen, ABadNamespaceSelectorDoesNotWidenAPolicy) {
  ExpectRefused(GlobalPolicyYaml("{namespaceSelector: \"team = 'a'\"}"), "spec.namespaceSelector",
                "does not parse");
}

TEST(FailOpen, ABadNotSelectorIsNotLeftOut) {
  ExpectRefused(GlobalPolicyYaml("{ingress: [{action: Allow, source: {notSelector: \"has(\"}}]}"),
                "spec.ingress[0].source.notSelector", "does not parse");
}

TEST(FailOpen, PortsWithoutProtocolAreNotLeftOut) {
  ExpectRefused(GlobalPolicyYaml("{ingress: [{action: Allow, destination: {ports: [80]}}]}"),
                "spec.ingress[0].destination.ports[0]", "need protocol");
  ExpectRefused(GlobalPolicyYaml("{ingress: [{action: Allow, destination: {notPorts: [80]}}]}"),
                "spec.ingress[0].destination.notPorts[0]", "need protocol");
}

TEST(FailOpen, ABadNetIsNotDroppedFromItsList) {
  const Decoded decoded = DecodeOne(
      GlobalPolicyYaml("{ingress: [{action: Allow, source: {nets: [10.0.0.0/8, 10.0.0.0/33]}}]}"));
  ASSERT_TRUE(decoded.refusal.has_value());
  EXPECT_FALSE(decoded.value.has_value());
  EXPECT_EQ(decoded.refusal->field, "spec.ingress[0].source.nets[1]");
}

TEST(FailOpen, NetsOfTheOtherFamilyAreKeptSoThatNoConditionIsLost) {
  const auto policy = DecodeValue<model::Policy>(GlobalPolicyYaml(
      "{types: [Ingress], ingress: [{action: Allow, source: {nets: [10.0.0.0/8]}}]}"));
  ASSERT_EQ(policy.ingress.size(), 1U);
  EXPECT_EQ(policy.ingress[0].source.nets.size(), 1U);
}

TEST(FailOpen, AnUnknownFieldOfARuleIsNotIgnored) {
  const Decoded decoded = DecodeOne(
      GlobalPolicyYaml("{ingress: [{action: Allow, source: {selectr: \"app == 'a'\"}}]}"));
  EXPECT_TRUE(decoded.refusal.has_value());
  EXPECT_FALSE(decoded.value.has_value());
}

}  // namespace
}  // namespace felix::datastore
