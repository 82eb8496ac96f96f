// SPDX-License-Identifier: Apache-2.0
#include "model/base/hash.h"

#include <openssl/evp.h>

#include <array>

#include "absl/strings/escaping.h"
#include "fmt/format.h"

#include "model/base/check.h"
#include "model/base/strings.h"

namespace felix {
namespace {

std::string Digest(std::string_view content, const EVP_MD* algorithm) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  const int done =
      EVP_Digest(content.data(), content.size(), digest.data(), &length, algorithm, nullptr);
  FELIX_CHECK(done == 1, "the crypto library lacks SHA-2");
  return {digest.begin(), digest.begin() + length};
}

std::string DigestBase64Url(std::string_view content, const EVP_MD* algorithm) {
  return absl::WebSafeBase64Escape(Digest(content, algorithm));
}

}  // namespace

std::string Sha224Base64Url(std::string_view content) {
  return DigestBase64Url(content, EVP_sha224());
}

std::string Sha256Base64Url(std::string_view content) {
  return DigestBase64Url(content, EVP_sha256());
}

std::string Sha256(std::string_view content) {
  return Digest(content, EVP_sha256());
}

std::string UniqueId(std::string_view prefix, std::string_view content) {
  return fmt::format("{}:{}", prefix, Sha224Base64Url(fmt::format("{}:{}", prefix, content)));
}

}  // namespace felix
