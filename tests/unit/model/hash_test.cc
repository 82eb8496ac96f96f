// SPDX-License-Identifier: Apache-2.0
#include "model/base/hash.h"

#include <string>

#include "gtest/gtest.h"

namespace felix {
namespace {

// The digests of the empty text, as NIST's SHA validation vectors (length 0) give them.
TEST(Hash, Sha224IsUnpaddedBase64Url) {
  EXPECT_EQ(Sha224Base64Url(""), "0UoCjCo6K8lHYQK7KII0xBWisB-CjqYqxbPkLw");
  EXPECT_EQ(Sha224Base64Url(std::string(100000, 'x')).size(), 38U);
}

TEST(Hash, Sha256IsUnpaddedBase64Url) {
  EXPECT_EQ(Sha256Base64Url(""), "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
}

TEST(Hash, HashesBytesBehindANulToo) {
  EXPECT_NE(Sha224Base64Url(std::string_view("a\0b", 3)), Sha224Base64Url("a"));
}

TEST(Hash, UniqueIdHashesThePrefixAsWell) {
  EXPECT_EQ(UniqueId("s", "all()"), "s:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug");
  EXPECT_EQ(UniqueId("n", "s:rV61RKD1Q8wo61pyeB0j2rwE3eiBOFbx0SsYKg,tcp,http"),
            "n:v1r2STTlO7TacjeCimdhkpVVM3zO_Bl2xCq5fw");
  EXPECT_EQ(UniqueId("n", "s:5y5I3VdRZfDU01O--xXAPx2yxCQQqMf0M6IWug,any,http"),
            "n:FvKMFOOSYvkZZJ0ch1bwT7bt3AAgySwlMLqMDA");
  EXPECT_EQ(UniqueId("svc", "prod/db"), "svc:2hsWfvzzNlp57Ev94nfMnO7s4Bddh6a1L5-IGA");
  EXPECT_EQ(UniqueId("svcnoport", "prod/db"), "svcnoport:Q3syUCTLaS1KC7-6naAGRB40i-oHrz65AnN0LQ");
}

}  // namespace
}  // namespace felix
