// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "datastore/resource_document.h"
#include "datastore/v3_decoder.h"

namespace felix::datastore {

// All objects of a YAML text, decoded as if it were the file t.yaml.
inline std::vector<Decoded> DecodeAll(std::string_view yaml) {
  const ParsedText parsed = ParseYaml(yaml);
  EXPECT_FALSE(parsed.fault.has_value()) << parsed.fault->reason << "\n" << yaml;
  std::vector<Decoded> all;
  for (const DocumentNode* object : SplitResources(parsed.documents)) {
    all.push_back(DecodeResource(*object, "t.yaml"));
  }
  return all;
}

inline Decoded DecodeOne(std::string_view yaml) {
  std::vector<Decoded> all = DecodeAll(yaml);
  EXPECT_EQ(all.size(), 1U) << yaml;
  return all.empty() ? Decoded() : std::move(all.front());
}

// The value of an object that must be in force without a remark.
template <typename T>
T DecodeValue(std::string_view yaml) {
  Decoded decoded = DecodeOne(yaml);
  EXPECT_FALSE(decoded.refusal.has_value()) << decoded.refusal->ToString();
  EXPECT_TRUE(decoded.value.has_value() && std::holds_alternative<T>(*decoded.value)) << yaml;
  if (!decoded.value || !std::holds_alternative<T>(*decoded.value)) return T();
  return std::get<T>(*std::move(decoded.value));
}

// Expects the object to be absent, refused for that field with a reason that has this in it.
inline void ExpectRefused(std::string_view yaml, std::string_view field, std::string_view reason) {
  const Decoded decoded = DecodeOne(yaml);
  EXPECT_FALSE(decoded.value.has_value()) << yaml;
  ASSERT_TRUE(decoded.refusal.has_value()) << yaml;
  EXPECT_EQ(decoded.refusal->field, field) << decoded.refusal->ToString() << "\n" << yaml;
  EXPECT_NE(decoded.refusal->reason.find(reason), std::string::npos)
      << decoded.refusal->ToString() << "\n"
      << yaml;
  EXPECT_EQ(decoded.refusal->origin.rfind("t.yaml:", 0), 0U) << decoded.refusal->origin;
}

inline std::string GlobalPolicyYaml(std::string_view spec) {
  return fmt::format(
      "{{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {{name: p}}, "
      "spec: {}}}",
      spec);
}

inline std::string PolicyYaml(std::string_view spec) {
  return fmt::format(
      "{{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, "
      "metadata: {{name: p, namespace: prod}}, spec: {}}}",
      spec);
}

inline std::string ObjectYaml(std::string_view kind, std::string_view metadata,
                              std::string_view spec) {
  return fmt::format("{{apiVersion: projectcalico.org/v3, kind: {}, metadata: {}, spec: {}}}", kind,
                     metadata, spec);
}

}  // namespace felix::datastore
