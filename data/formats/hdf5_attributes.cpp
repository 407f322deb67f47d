#include "data/formats/hdf5_impl.h"
#include "src/error.h"
#include "src/json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

namespace nowcell {
namespace {

constexpr std::size_t kLargestAttribute = 64 * 1024;

std::string fixed_text(hid_t attribute, hid_t type) {
    std::string value(H5Tget_size(type), '\0');
    const Hdf5Handle memory(H5Tcopy(type), H5Tclose);
    if (H5Aread(attribute, memory.id(), value.data()) < 0) return "";
    value.resize(std::min(value.size(), value.find('\0')));
    return value.substr(0, value.find_last_not_of(' ') + 1);
}

std::string variable_text(hid_t attribute, hid_t type) {
    char* value = nullptr;
    const Hdf5Handle memory(H5Tcopy(type), H5Tclose);
    if (H5Aread(attribute, memory.id(), &value) < 0 || value == nullptr) return "";
    std::string out(value);
    H5free_memory(value);
    return out;
}

// An attribute opened by name, with what is needed to read it.
struct Hdf5Attribute {
    Hdf5Attribute(hid_t file, hid_t links, const std::string& dataset, const std::string& name)
        : handle(H5Aopen_by_name(file, dataset.c_str(), name.c_str(), H5P_DEFAULT, links), H5Aclose) {
        if (!handle) return;
        type = Hdf5Handle(H5Aget_type(handle.id()), H5Tclose);
        const Hdf5Handle space(H5Aget_space(handle.id()), H5Sclose);
        count = H5Sget_simple_extent_npoints(space.id());
        if (H5Aget_storage_size(handle.id()) > kLargestAttribute || count < 0) {
            throw Error(ExitCode::data, fmt::format("attribute {} of {} is too large", name, dataset));
        }
    }
    bool is_text() const { return H5Tget_class(type.id()) == H5T_STRING && count == 1; }
    bool is_number() const {
        const H5T_class_t kind = H5Tget_class(type.id());
        return kind == H5T_INTEGER || kind == H5T_FLOAT;
    }
    std::string text() const {
        return as_utf8(H5Tis_variable_str(type.id()) > 0 ? variable_text(handle.id(), type.id())
                                                         : fixed_text(handle.id(), type.id()));
    }
    std::vector<double> numbers() const {
        std::vector<double> out(static_cast<std::size_t>(count));
        if (count > 0 && H5Aread(handle.id(), H5T_NATIVE_DOUBLE, out.data()) < 0) out.clear();
        return out;
    }

    Hdf5Handle handle;
    Hdf5Handle type;
    hssize_t count = 0;
};

}  // namespace

std::optional<std::string> Hdf5File::text(const std::string& dataset, const std::string& attribute) const {
    const Hdf5Lock lock;
    const Hdf5Attribute found(impl_->file.id(), impl_->links.id(), dataset, attribute);
    if (!found.handle) return std::nullopt;
    if (found.is_text()) return found.text();
    const std::vector<double> values = found.is_number() ? found.numbers() : std::vector<double>{};
    return values.empty() ? std::nullopt : std::optional(fmt::format("{}", fmt::join(values, " ")));
}

bool Hdf5File::is_real(const std::string& object, const std::string& attribute) const {
    const Hdf5Lock lock;
    const Hdf5Attribute found(impl_->file.id(), impl_->links.id(), object, attribute);
    return found.handle && H5Tget_class(found.type.id()) == H5T_FLOAT;
}

std::vector<double> Hdf5File::numbers(const std::string& dataset, const std::string& attribute) const {
    const Hdf5Lock lock;
    const Hdf5Attribute found(impl_->file.id(), impl_->links.id(), dataset, attribute);
    if (!found.handle) return {};
    if (found.is_number()) return found.numbers();
    const std::string text = found.is_text() ? found.text() : "";
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (!text.empty() && *end == '\0') return {value};
    throw Error(ExitCode::data, fmt::format("attribute {} of {} in {}: got '{}', expected a number", attribute, dataset,
                                            impl_->path, text));
}

}  // namespace nowcell
