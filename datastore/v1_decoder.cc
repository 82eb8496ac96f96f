// SPDX-License-Identifier: Apache-2.0
#include "datastore/v1_decoder.h"

#include <vector>

#include "datastore/v1_key.h"
#include "datastore/v1_object.h"

namespace felix::datastore {

V1Decoder::V1Decoder() : table_(std::vector<model::Update>()) {}

void V1Decoder::Set(const std::string& key, std::optional<std::string_view> value) {
  if (ParseV1Key(key).kind == V1Key::Kind::kReady) ready_ = value == "true";
  if (!value) {
    keys_.erase(key);
    table_.RemoveFile(key);
    return;
  }
  keys_.insert(key);
  std::vector<Decoded> objects;
  objects.push_back(DecodeV1(key, *value));
  table_.SetFile(key, key, std::move(objects));
}

V1Decoded V1Decoder::Decode(std::string_view key, std::optional<std::string_view> value) {
  Set(std::string(key), value);
  return table_.Commit();
}

V1Decoded V1Decoder::DecodeRemovalBelow(std::string_view directory) {
  std::string prefix(directory);
  if (!prefix.ends_with('/')) prefix += '/';
  while (true) {
    const auto it = keys_.lower_bound(prefix);
    if (it == keys_.end() || !it->starts_with(prefix)) break;
    const std::string key = *it;
    Set(key, std::nullopt);
  }
  return table_.Commit();
}

}  // namespace felix::datastore
