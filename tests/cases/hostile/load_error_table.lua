-- refused E211
error({})
