# The configurations of configs/ as text in the program, for `nowcell config init`.
file(GLOB preset_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/configs/*.toml)
set(preset_rows "")
foreach(file IN LISTS preset_files)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME_WE)
    string(REPLACE "_" "-" name "${name}")
    file(READ ${file} text)
    string(APPEND preset_rows "        {\"${name}\", R\"toml(${text})toml\"},\n")
endforeach()
set(preset_source ${CMAKE_BINARY_DIR}/presets_text.cpp)
file(CONFIGURE OUTPUT ${preset_source} @ONLY CONTENT [=[// Made by CMake from configs/.
#include "src/presets.h"

namespace nowcell {

const std::vector<Preset>& all_presets() {
    static const std::vector<Preset> presets = {
@preset_rows@    };
    return presets;
}

}  // namespace nowcell
]=])
