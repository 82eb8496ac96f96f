// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace felix {

// Digests as unpadded base64url text, the form that Calico's kernel names use.
[[nodiscard]] std::string Sha224Base64Url(std::string_view content);
[[nodiscard]] std::string Sha256Base64Url(std::string_view content);

// The 32 bytes of the digest.
[[nodiscard]] std::string Sha256(std::string_view content);

// prefix + ":" + base64url(sha224(prefix + ":" + content)): the ids of Calico's IP sets.
[[nodiscard]] std::string UniqueId(std::string_view prefix, std::string_view content);

}  // namespace felix
