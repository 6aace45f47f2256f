-- refused E211
claims { id = {} }
