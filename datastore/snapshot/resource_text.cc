// SPDX-License-Identifier: Apache-2.0
#include "datastore/snapshot/resource_text.h"

#include "datastore/v1_object.h"

namespace felix::datastore {
namespace {

bool LooksLikeJson(std::string_view text, std::string_view path) {
  if (path.ends_with(".json")) return true;
  if (path.ends_with(".yaml") || path.ends_with(".yml")) return false;
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

}  // namespace

ResourceText ReadResourceText(const std::string& path, std::string_view text) {
  ParsedText parsed = LooksLikeJson(text, path) ? ParseJsonOrJsonLines(text) : ParseYaml(text);
  ResourceText read;
  read.fault = std::move(parsed.fault);
  if (read.fault) return read;
  for (const DocumentNode* object : SplitResources(parsed.documents)) {
    read.objects.push_back(IsV1Entry(*object) ? DecodeV1Entry(*object, path)
                                              : DecodeResource(*object, path));
  }
  return read;
}

}  // namespace felix::datastore
