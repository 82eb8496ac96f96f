// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "fmt/format.h"
#include "gtest/gtest.h"

#include "datastore/v1_object.h"

namespace felix::datastore {

inline constexpr std::string_view kV1Policy = "/calico/v1/policy/tier/default/policy/p";
inline constexpr std::string_view kV1Rules = "/calico/v1/policy/profile/p/rules";
inline constexpr std::string_view kV1Endpoint =
    "/calico/v1/host/mesos-1/workload/mesos/c1/endpoint/e1";

// The value of a key that must be in force.
template <typename T>
T DecodeV1Value(std::string_view key, std::string_view value) {
  Decoded decoded = DecodeV1(key, value);
  EXPECT_FALSE(decoded.refusal.has_value()) << decoded.refusal->ToString();
  EXPECT_TRUE(decoded.value.has_value() && std::holds_alternative<T>(*decoded.value)) << value;
  if (!decoded.value || !std::holds_alternative<T>(*decoded.value)) return T();
  return std::get<T>(*std::move(decoded.value));
}

// Expects the value to be absent, refused by its key for that field.
inline void ExpectV1Refused(std::string_view key, std::string_view value, std::string_view field,
                            std::string_view reason) {
  const Decoded decoded = DecodeV1(key, value);
  EXPECT_FALSE(decoded.value.has_value()) << key << " = " << value;
  ASSERT_TRUE(decoded.refusal.has_value()) << key << " = " << value;
  EXPECT_EQ(decoded.refusal->origin, key);
  EXPECT_EQ(decoded.refusal->field, field) << decoded.refusal->ToString() << "\n" << value;
  EXPECT_NE(decoded.refusal->reason.find(reason), std::string::npos)
      << decoded.refusal->ToString() << "\n"
      << value;
}

// The one rule of a policy that has it inbound.
inline model::PolicyRule DecodeV1Rule(std::string_view rule) {
  const auto policy = DecodeV1Value<model::Policy>(
      kV1Policy, fmt::format(R"({{"selector": "", "inbound_rules": [{}]}})", rule));
  EXPECT_EQ(policy.ingress.size(), 1U) << rule;
  return policy.ingress.empty() ? model::PolicyRule() : policy.ingress.front();
}

}  // namespace felix::datastore
