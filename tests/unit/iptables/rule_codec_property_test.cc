// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "iptables/rule_codec.h"
#include "tests/support/random.h"
#include "tests/unit/iptables/rule_samples.h"

namespace felix::iptables {
namespace {

const SetIndexResolver kIndexOf = [](const ir::SetKey& key) {
  const std::uint16_t index = key.id == testing::kNetSet ? 7 : 300;
  return absl::StatusOr<std::uint16_t>(index);
};
const SetIdResolver kIdOf = [](std::uint16_t index) {
  return absl::StatusOr<std::string>(index == 7 ? testing::kNetSet : testing::kPortSet);
};

// Damaged entries give an error or a rule that can be encoded and read again; never a crash.
TEST(RuleCodecProperty, ReadsDamagedEntriesSafely) {
  testing::Random random(7);
  int readable = 0;
  for (const auto family : model::kIpFamilies) {
    for (const auto& sample : testing::RuleSamples(family)) {
      const auto good = Encode(sample.rule, family, kIndexOf);
      ASSERT_TRUE(good.ok()) << good.status();
      for (int round = 0; round < 200; ++round) {
        std::string bytes = good->bytes;
        for (std::size_t n = 1 + random.Below(4); n > 0; --n) {
          bytes[random.Below(bytes.size())] = static_cast<char>(random.Below(256));
        }
        if (random.Chance(10)) bytes.resize(random.Below(bytes.size() + 1));
        const auto normal = Normalise(bytes, good->target, family);
        if (!normal.ok()) continue;
        const auto rule = Decode(*normal, family, kIdOf);
        if (!rule.ok()) continue;
        ++readable;
        const auto again = Encode(*rule, family, kIndexOf);
        if (!again.ok()) continue;  // readable, but not what the kernel would take
        const auto same = Decode(*again, family, kIdOf);
        ASSERT_TRUE(same.ok()) << sample.name << ": " << same.status();
      }
    }
  }
  EXPECT_GT(readable, 1000);
}

// The order of conditions in a head does not matter, that of extensions is kept.
TEST(RuleCodecProperty, EveryMixOfMatchesComesBack) {
  testing::Random random(11);
  for (int round = 0; round < 3000; ++round) {
    const auto family = random.PickOf({model::IpFamily::kV4, model::IpFamily::kV6});
    ir::Rule rule;
    for (const auto& sample : testing::RuleSamples(family)) {
      if (!random.Chance(8)) continue;
      rule.matches.insert(rule.matches.end(), sample.rule.matches.begin(),
                          sample.rule.matches.end());
      rule.action = sample.rule.action;
    }
    const auto encoded = Encode(rule, family, kIndexOf);
    if (!encoded.ok()) {
      ASSERT_TRUE(absl::IsInvalidArgument(encoded.status())) << encoded.status();
      continue;
    }
    const auto decoded = Decode(*encoded, family, kIdOf);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->action, rule.action);
    EXPECT_EQ(decoded->matches.size(), rule.matches.size());
    EXPECT_EQ(*Encode(*decoded, family, kIndexOf), *encoded);
  }
}

}  // namespace
}  // namespace felix::iptables
